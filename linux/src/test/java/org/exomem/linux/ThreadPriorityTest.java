package org.exomem.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class ThreadPriorityTest {
    /** The field of proc_pid_stat(5), counted from the first word after the name. */
    private static final int NICE = 16;

    @Test
    void threadsAreFoundByTheirNameAndNoOtherIsChanged() throws Exception {
        CountDownLatch end = new CountDownLatch(1);
        Path named = start("exomem nice one and more than 15 bytes", end);
        Path other = start("exomem nice other", end);
        try {
            int before = nice(other);
            assertThat(ThreadPriority.lower("exomem nice one", 7)).isEqualTo(1);
            assertThat(nice(named)).isEqualTo(Math.min(19, before + 7));
            assertThat(nice(other)).isEqualTo(before);
            assertThat(ThreadPriority.lower("nobody", 7)).isZero();
        } finally {
            end.countDown();
        }
    }

    private static Path start(String name, CountDownLatch end) throws Exception {
        CompletableFuture<Path> folder = new CompletableFuture<>();
        Thread.ofPlatform().name(name).start(() -> {
            try {
                folder.complete(Path.of("/proc/thread-self").toRealPath());
                end.await();
            } catch (IOException | InterruptedException e) {
                folder.completeExceptionally(e);
            }
        });
        return folder.get();
    }

    private static int nice(Path thread) throws IOException {
        String stat = Files.readString(thread.resolve("stat"), StandardCharsets.ISO_8859_1);
        return Integer.parseInt(stat.substring(stat.lastIndexOf(')') + 2).split(" ")[NICE]);
    }
}
