package org.exomem.backend.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.exomem.backend.template.TestTemplate;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.linux.process.ProcessFd;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** With processes in place of VMMs. */
class CloneWatchTest {
    private static final Duration LIMIT = Duration.ofMinutes(1);

    @TempDir
    Path folder;

    private final Queue<String> told = new ConcurrentLinkedQueue<>();
    private final CloneWatch watch = new CloneWatch(new CloneWatch.Told() {
        @Override
        public void ended(ProcessFd vmm) {
            told.add("ended " + vmm.pid());
        }

        @Override
        public void templateChanged(String clone, Path template, String why) {
            told.add(clone + " " + template + " " + why);
        }
    });

    @AfterEach
    void close() {
        watch.close();
    }

    @Test
    @Tag("IMG-CLONE-9")
    void changeOfATemplateIsToldOnceForEachCloneThatRuns() throws Exception {
        ImageFolder image = TestTemplate.make(folder.resolve("t"), "qemu");
        Process first = new ProcessBuilder("sleep", "600").start();
        Process second = new ProcessBuilder("sleep", "600").start();
        try {
            watch.add(ProcessFd.open((int) first.pid()), List.of("c1"), Optional.of(folder.resolve("t")));
            watch.add(ProcessFd.open((int) second.pid()), List.of("c2"), Optional.of(folder.resolve("t")));
            Files.writeString(image.ram(TestTemplate.RAM), "x".repeat(8192));
            await().atMost(LIMIT).until(() -> told.size() == 2);
            assertThat(told)
                    .allSatisfy(text -> assertThat(text)
                            .contains(folder.resolve("t") + " ", TestTemplate.RAM.file(), "was written to"))
                    .anySatisfy(text -> assertThat(text).startsWith("c1 "))
                    .anySatisfy(text -> assertThat(text).startsWith("c2 "));
            first.destroyForcibly();
            await().atMost(LIMIT).until(() -> told.contains("ended " + first.pid()));
            // The last process: a new thread watches the ones that come later.
            second.destroyForcibly();
            await().atMost(LIMIT).until(() -> told.contains("ended " + second.pid()));
            assertThat(told).hasSize(4);
        } finally {
            first.destroyForcibly().waitFor();
            second.destroyForcibly().waitFor();
        }
        Process third = new ProcessBuilder("sleep", "600").start();
        watch.add(ProcessFd.open((int) third.pid()), List.of("c3"), Optional.of(folder.resolve("none")));
        third.destroyForcibly().waitFor();
        await().atMost(LIMIT).until(() -> told.contains("ended " + third.pid()));
    }
}
