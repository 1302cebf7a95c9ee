package org.exomem.backend.vm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.BalloonOnly;
import org.exomem.backend.HeldUpVm;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 180, unit = TimeUnit.SECONDS)
class VmShutdownTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    @TempDir
    Path folder;

    @Test
    void allEndAndTheirSocketsAreGone() throws Exception {
        List<ServedVm> vms = List.of(vm("a"), vm("b"));
        assertThat(VmShutdown.close(vms, Duration.ofSeconds(20))).isTrue();
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void vmThatIsHeldUpKeepsNeitherTheOthersNorTheCaller() throws Exception {
        Path heldUpSocket = folder.resolve("held-up");
        try (HeldUpVm heldUp = HeldUpVm.start("held-up", folder)) {
            assertThat(VmShutdown.close(List.of(heldUp.vm(), vm("b")), Duration.ofSeconds(2)))
                    .isFalse();
            await().atMost(LIMIT).until(() -> !Files.exists(folder.resolve("b")));
            assertThat(heldUpSocket).exists();
            heldUp.release();
            await().atMost(LIMIT).until(() -> !Files.exists(heldUpSocket));
        }
    }

    private ServedVm vm(String name) throws Exception {
        return BalloonOnly.start(name, folder, event -> {});
    }
}
