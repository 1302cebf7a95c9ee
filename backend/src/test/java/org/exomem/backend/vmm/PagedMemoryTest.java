package org.exomem.backend.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.exomem.conformance.guest.MemoryFolder;
import org.exomem.linux.SharedFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Which part of a VMM's memory the next exomem takes over. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class PagedMemoryTest {
    private MemoryFolder folder;
    private Path ram;

    @BeforeEach
    void memory() throws IOException {
        folder = MemoryFolder.make(Path.of("/dev/shm"));
        ram = folder.path().resolve("ram");
        SharedFile.create(ram, 1 << 20).close();
    }

    @AfterEach
    void deleteMemory() throws Exception {
        folder.close();
    }

    private interface Check {
        void with(Process vmm) throws IOException;
    }

    private void watchedBy(String whom, Check check) throws Exception {
        Process vmm = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        WatchedProgram.class.getName(),
                        ram.toString(),
                        whom)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        try (BufferedReader output = vmm.inputReader()) {
            assertThat(output.readLine()).matches("\\d+ \\d+");
            check.with(vmm);
        } finally {
            vmm.destroyForcibly().waitFor();
        }
    }

    private PagedMemory.Found takeUp(Process vmm) throws IOException {
        return PagedMemory.takeUp((int) vmm.pid(), List.of(ram));
    }

    @Test
    @Tag("PGR-AGAIN-2")
    void ofSeveralUserfaultfdsTheOneThatWatchesTheMemoryIsTakenUp() throws Exception {
        watchedBy("pager", vmm -> {
            PagedMemory.Found found = takeUp(vmm);
            // The kernel lets no other userfaultfd register the memory.
            assertThat(found).isInstanceOf(PagedMemory.Found.Taken.class);
            ((PagedMemory.Found.Taken) found).memory().close();
        });
    }

    @Test
    @Tag("PGR-AGAIN-2")
    void memoryThatSomebodyElseWatchesIsRefusedInWords() throws Exception {
        watchedBy(
                "other",
                vmm -> assertThatThrownBy(() -> takeUp(vmm))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("another userfaultfd is registered for it"));
    }
}
