package org.exomem.backend.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How exomem interprets a VMM's answers. */
@Timeout(60)
class QmpVmmTest {
    private static final String RAM = "[{'id': 'ram', 'size': 4096, 'share': true}]";

    @TempDir
    Path folder;

    private ScriptedVmm scripted;

    @BeforeEach
    void listen() throws IOException {
        scripted = new ScriptedVmm(folder.resolve("qmp")).answer("query-commands", "[]");
    }

    @AfterEach
    void close() throws IOException {
        scripted.close();
    }

    private QmpVmm connect() throws IOException {
        return QmpVmm.connect(folder.resolve("qmp"));
    }

    @Test
    @Tag("VMM-1")
    void commandsThatTheVmmDoesNotListAreNotUsed() throws IOException {
        // It would answer them.
        scripted.answer("query-dirty-log", "{}")
                .answer("query-chardev", "[]")
                .answer("qom-list /machine/peripheral", "[{'name': 'a', 'type': 'child<vhost-user-device-pci>'}]");
        try (QmpVmm vmm = connect()) {
            assertThat(vmm.dirtyLog()).isEmpty();
            assertThat(vmm.devices()).isEmpty();
            assertThat(vmm.canThrottle()).isFalse();
        }
    }

    @ParameterizedTest
    @CsvSource({"true, running, true", "false, suspended, true", "false, paused, false", "false, inmigrate, false"})
    @Tag("VMM-2")
    void guestRunsUnlessItWaitsForCont(boolean running, String status, boolean runs) throws IOException {
        scripted.answer("query-status", "{'running': " + running + ", 'status': '" + status + "'}");
        try (QmpVmm vmm = connect()) {
            assertThat(vmm.isRunning()).isEqualTo(runs);
        }
    }

    @Test
    @Tag("MIG-SETTLE-4")
    void resetsAreCountedThatWereToldBeforeAnAnswer() throws IOException {
        scripted.answer("query-status", "{'running': true, 'status': 'running'}");
        try (QmpVmm vmm = connect()) {
            vmm.isRunning();
            assertThat(vmm.resets()).isZero();
            scripted.event("RESET").event("STOP").event("RESET");
            vmm.isRunning();
            assertThat(vmm.resets()).isEqualTo(2);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"running", "paused", "prelaunch", "postmigrate"})
    @Tag("VMM-2")
    void memoryIsTakenOnlyFromAVmmThatWaitsForAGuest(String status) throws IOException {
        scripted.answer("query-status", "{'running': false, 'status': '" + status + "'}");
        try (QmpVmm vmm = connect()) {
            assertThatThrownBy(vmm::expectIncoming).hasMessageContaining("status " + status);
            scripted.answer("query-status", "{'running': false, 'status': 'inmigrate'}");
            vmm.expectIncoming();
        }
    }

    @Test
    @Tag("VMM-3")
    void ramThatIsASharedFileWithANameIsTaken() throws IOException {
        scripted.answer("query-memdev", RAM)
                .answer("qom-list /objects/ram", "[{'name': 'mem-path'}]")
                .answer("qom-get /objects/ram mem-path", "'/dev/shm/a'");
        try (QmpVmm vmm = connect()) {
            assertThat(vmm.ram()).containsExactly(new GuestRamFile("ram", Path.of("/dev/shm/a"), 4096));
        }
    }

    @Test
    @Tag("VMM-3")
    void ramThatTheVmmWouldSendItselfIsRefusedWithWhatToDo() throws IOException {
        try (QmpVmm vmm = connect()) {
            scripted.answer("query-memdev", "[]");
            assertThatThrownBy(vmm::ram).hasMessageContaining("has no memory back-end");
            scripted.answer("query-memdev", RAM).answer("qom-list /objects/ram", "[{'name': 'size'}]");
            assertThatThrownBy(vmm::ram)
                    .hasMessageContaining("the memory \"ram\" is not a file with a name")
                    .hasMessageContaining("-object memory-backend-file,id=ram,share=on");
            scripted.answer("query-memdev", RAM.replace("true", "false"))
                    .answer("qom-list /objects/ram", "[{'name': 'mem-path'}]")
                    .answer("qom-get /objects/ram mem-path", "'/dev/shm/a'");
            assertThatThrownBy(vmm::ram).hasMessageContaining("the memory \"ram\" is not shared");
        }
    }

    @ParameterizedTest
    @CsvSource({"8192, 4096", "4096, 65536", "0, 4096"})
    @Tag("VMM-8")
    void logOfOtherPagesOrBeyondItsFileIsRefused(long size, int pageSize) throws IOException {
        Path log = Files.write(folder.resolve("log"), new byte[4096]);
        scripted.answer("query-commands", "[{'name': 'query-dirty-log'}]")
                .answer(
                        "query-dirty-log",
                        "{'path': '" + log + "', 'size': " + size + ", 'page-size': " + pageSize + "}");
        try (QmpVmm vmm = connect()) {
            assertThatThrownBy(vmm::dirtyLog).hasMessageContaining("keeps a dirty log that exomem can't read");
        }
    }
}
