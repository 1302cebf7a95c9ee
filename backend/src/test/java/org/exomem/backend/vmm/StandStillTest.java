package org.exomem.backend.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
@Tag("IMG-CLONE-11")
class StandStillTest {
    private static final String RUNNING = "{'status': 'running', 'running': true}";
    private static final String PAUSED = "{'status': 'paused', 'running': false}";

    @TempDir
    Path folder;

    private final StandStill guest = new StandStill();
    private final AtomicInteger done = new AtomicInteger();
    private ScriptedVmm scripted;
    private QmpVmm vmm;

    @BeforeEach
    void connect() throws IOException {
        Path socket = folder.resolve("qmp");
        scripted = new ScriptedVmm(socket)
                .answer("query-commands", "[]")
                .answer("query-migrate", "{}")
                .answer("query-status", RUNNING)
                .answer("stop", "{}")
                .answer("cont", "{}");
        scripted.on("stop", () -> scripted.answer("query-status", PAUSED));
        scripted.on("cont", () -> scripted.answer("query-status", RUNNING));
        vmm = QmpVmm.connect(socket);
    }

    @AfterEach
    void close() throws IOException {
        vmm.close();
        scripted.close();
    }

    private void during() throws IOException {
        guest.during(vmm, () -> {
            assertThat(vmm.isRunning()).isFalse();
            done.incrementAndGet();
        });
    }

    @Test
    void guestThatRunsStandsStillMeanwhileAndRunsOn() throws IOException {
        during();
        assertThat(done).hasValue(1);
        assertThat(scripted.asked("stop", "cont")).containsExactly("stop", "cont");
        assertThat(guest.isOwed()).isFalse();
    }

    @Test
    void guestThatStoodStillBeforeIsLeftSo() throws IOException {
        scripted.answer("query-status", PAUSED);
        during();
        assertThat(done).hasValue(1);
        assertThat(scripted.asked("stop", "cont")).isEmpty();
    }

    @Test
    void guestRunsOnWhereWhatWasToBeDoneFails() {
        assertThatThrownBy(() -> guest.during(vmm, () -> {
                    throw new IOException("no page");
                }))
                .hasMessage("no page");
        assertThat(scripted.asked("stop", "cont")).containsExactly("stop", "cont");
        assertThat(guest.isOwed()).isFalse();
    }

    /** The next call finds the guest stopped, although that was not its original state. */
    @Test
    void guestThatCouldNotRunOnIsToldToByTheNextCall() throws IOException {
        assertThatThrownBy(() -> guest.during(vmm, vmm::close)).isInstanceOf(IOException.class);
        assertThat(guest.isOwed()).isTrue();
        vmm = QmpVmm.connect(folder.resolve("qmp"));
        during();
        assertThat(done).hasValue(1);
        assertThat(scripted.asked("stop", "cont")).containsExactly("stop", "stop", "cont");
        assertThat(vmm.isRunning()).isTrue();
        assertThat(guest.isOwed()).isFalse();
    }

    @Test
    void guestThatItsVmmSavesOrMovesIsNotStopped() {
        scripted.answer("query-migrate", "{'status': 'active'}");
        assertThatThrownBy(this::during).hasMessageContaining("currently saving or migrating its guest");
        assertThat(done).hasValue(0);
        assertThat(scripted.asked("stop", "cont")).isEmpty();
    }
}
