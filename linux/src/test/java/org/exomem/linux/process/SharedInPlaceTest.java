package org.exomem.linux.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Tests with a process that writes to the pages all the time. */
class SharedInPlaceTest {
    private static final long PAGE = SharedFile.SMALL_PAGE;
    private static final int PAGES = 64;
    private static final int THREADS = 2;

    private Path folder;

    @BeforeEach
    void makeFolder() throws IOException {
        assumeThat(System.getProperty("os.arch")).isEqualTo("amd64");
        folder = Files.createTempDirectory(Path.of("/dev/shm"), "shared-in-place");
    }

    @AfterEach
    void removeFolder() throws IOException {
        for (String name : List.of("template", "own", "other")) {
            Files.deleteIfExists(folder.resolve(name));
        }
        Files.delete(folder);
    }

    private SharedFile template() throws IOException {
        SharedFile file = SharedFile.create(folder.resolve("template"), PAGES * PAGE);
        try (Mapping mapping = Mapping.of(file, 0, PAGES * PAGE)) {
            for (int i = 0; i < PAGES; i++) {
                for (int word = 0; word < THREADS; word++) {
                    mapping.segment().set(ValueLayout.JAVA_LONG, i * PAGE + 8L * word, i);
                }
            }
        }
        return file;
    }

    /**
     * Not a child of this process: the JDK waits for its children, and would receive the stop of a child instead of the
     * process that traces it.
     */
    private record Counting(Process shell, int pid, long address, BufferedReader output) implements AutoCloseable {
        static Counting start(Path folder) throws IOException {
            Process shell = new ProcessBuilder(
                            "sh",
                            "-c",
                            "exec 3<&0; \"$0\" \"$@\" <&3 & echo $!; exec 3<&-; wait",
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-Xmx64m",
                            "-XX:TieredStopAtLevel=1",
                            "-cp",
                            System.getProperty("java.class.path"),
                            CountingProcess.class.getName(),
                            folder.resolve("template").toString(),
                            folder.resolve("own").toString(),
                            Integer.toString(PAGES),
                            Integer.toString(THREADS))
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            BufferedReader output = shell.inputReader();
            int pid = Integer.parseInt(output.readLine());
            return new Counting(shell, pid, Long.parseLong(output.readLine()), output);
        }

        String end() throws IOException {
            shell.outputWriter().close();
            return output.readLine();
        }

        @Override
        public void close() {
            ProcessHandle.of(pid).ifPresent(ProcessHandle::destroyForcibly);
            shell.destroyForcibly();
        }
    }

    @Test
    @Tag("IMG-CLONE-6")
    void noWriteIsLostWhenPagesAreSharedUnderAProcessThatWritesToThem() throws Exception {
        try (SharedFile template = template();
                SharedFile own = SharedFile.create(folder.resolve("own"), PAGES * PAGE);
                Counting counting = Counting.start(folder);
                ProcessFd process = ProcessFd.open(counting.pid());
                SharedInPlace sharing = SharedInPlace.of(process, own)) {
            List<Integer> order = new ArrayList<>();
            for (int i = 0; i < PAGES / 2; i++) {
                order.add(2 * i);
            }
            Collections.shuffle(order, new Random(1));
            for (int page : order) {
                sharing.share(List.of(new SharedInPlace.Range(counting.address() + page * PAGE, page * PAGE, PAGE)));
            }
            assertThat(own.allocatedBytes()).isEqualTo(PAGES / 2 * PAGE);
            // Both see the same content of shared memory.
            try (Mapping mapping = Mapping.of(own, 0, PAGES * PAGE)) {
                long before = word(mapping.segment(), 2);
                long start = System.nanoTime();
                while (word(mapping.segment(), 2) == before) {
                    assertThat(System.nanoTime() - start).isLessThan(10_000_000_000L);
                    Thread.onSpinWait();
                }
            }
            assertThat(counting.end()).isEqualTo("right");
            try (Mapping mapping = Mapping.of(template, 0, PAGES * PAGE)) {
                assertThat(word(mapping.segment(), 2)).isEqualTo(2);
            }
        }
    }

    @Test
    @Tag("IMG-CLONE-6")
    void noWriteToTheFileIsLostWhenAnotherSharesPagesThatAreSharedAlready() throws Exception {
        try (SharedFile template = template();
                SharedFile own = SharedFile.create(folder.resolve("own"), PAGES * PAGE);
                Counting counting = Counting.start(folder);
                ProcessFd process = ProcessFd.open(counting.pid());
                SharedInPlace first = SharedInPlace.of(process, own);
                SharedInPlace second = SharedInPlace.of(process, own);
                Mapping mapping = Mapping.of(own, 0, PAGES * PAGE)) {
            first.share(List.of(range(counting, 16, 4), range(counting, 24, 1)));
            AtomicBoolean ended = new AtomicBoolean();
            AtomicLong counted = new AtomicLong();
            long word = 16 * PAGE + 8 * THREADS;
            Thread device = Thread.ofPlatform().start(() -> {
                while (!ended.get()) {
                    ValueLayout.JAVA_LONG.varHandle().getAndAdd(mapping.segment(), word, 1L);
                    counted.incrementAndGet();
                }
            });
            try {
                for (int i = 0; i < 100; i++) {
                    // Before, in and after the shared part.
                    second.share(List.of(range(counting, 8, 20), range(counting, 30, 1)));
                }
            } finally {
                ended.set(true);
                device.join();
            }
            assertThat(own.allocatedBytes()).isEqualTo(21 * PAGE);
            assertThat(mapping.segment().get(ValueLayout.JAVA_LONG, word)).isEqualTo(counted.get());
            assertThat(counting.end()).isEqualTo("right");
            assertThat(template.size()).isEqualTo(PAGES * PAGE);
        }
    }

    @Test
    void severalThreadsOfThisProcessAttachOneAfterTheOther() throws Exception {
        try (SharedFile template = template();
                SharedFile own = SharedFile.create(folder.resolve("own"), PAGES * PAGE);
                Counting counting = Counting.start(folder);
                ProcessFd process = ProcessFd.open(counting.pid());
                ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Future<?>> tasks = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                int number = i;
                tasks.add(threads.submit(() -> {
                    try (SharedInPlace sharing = SharedInPlace.of(process, own)) {
                        for (int page = 0; page < PAGES; page += 4) {
                            sharing.share(List.of(range(counting, page + number, 1)));
                        }
                    }
                    return number;
                }));
            }
            for (Future<?> task : tasks) {
                task.get();
            }
            assertThat(own.allocatedBytes()).isEqualTo(PAGES * PAGE);
            assertThat(counting.end()).isEqualTo("right");
            assertThat(template.size()).isEqualTo(PAGES * PAGE);
        }
    }

    private static SharedInPlace.Range range(Counting counting, long page, long count) {
        return new SharedInPlace.Range(counting.address() + page * PAGE, page * PAGE, count * PAGE);
    }

    @Test
    void memoryThatIsGivenBackHoldsWhatTheFileHas() throws Exception {
        try (SharedFile template = template();
                SharedFile own = SharedFile.create(folder.resolve("own"), PAGES * PAGE);
                Counting counting = Counting.start(folder);
                ProcessFd process = ProcessFd.open(counting.pid());
                SharedInPlace sharing = SharedInPlace.of(process, own)) {
            List<String> files = List.of(MappedFiles.nameOf(template));
            await().until(() -> MappedMemory.of(counting.pid(), files).anonymous() == PAGES * PAGE);
            // It is stopped, so that it does not write them again at once.
            new ProcessBuilder("kill", "-STOP", Integer.toString(counting.pid()))
                    .start()
                    .waitFor();
            await().until(() -> process.status().state() == 'T');
            assertThatThrownBy(() ->
                            sharing.giveBack(List.of(new SharedInPlace.Range(counting.address(), 0, PAGES * PAGE))))
                    .hasMessageContaining("stopped by signal");
            new ProcessBuilder("kill", "-CONT", Integer.toString(counting.pid()))
                    .start()
                    .waitFor();
            sharing.giveBack(List.of(new SharedInPlace.Range(counting.address(), 0, PAGES * PAGE)));
            // It continues to count from the template's content, and from nothing else.
            assertThat(counting.end()).isEqualTo("wrong");
        }
    }

    private static long word(MemorySegment memory, int page) {
        return (long) ValueLayout.JAVA_LONG.varHandle().getVolatile(memory, page * PAGE);
    }

    @Test
    void pagesThatCanNotBeSharedStayAsTheyAre() throws Exception {
        try (SharedFile template = template();
                SharedFile own = SharedFile.create(folder.resolve("own"), PAGES * PAGE);
                SharedFile other = SharedFile.create(folder.resolve("other"), PAGES * PAGE);
                Counting counting = Counting.start(folder);
                ProcessFd process = ProcessFd.open(counting.pid())) {
            assertThatThrownBy(() -> SharedInPlace.of(process, other)).hasMessageContaining("has not opened");
            try (SharedInPlace sharing = SharedInPlace.of(process, own)) {
                // Not at the beginning of a page of the file, so that it can't be mapped.
                assertThatThrownBy(() -> sharing.share(List.of(new SharedInPlace.Range(counting.address(), 8, PAGE))))
                        .hasMessageContaining("mmap");
                assertThatThrownBy(() -> sharing.share(List.of(new SharedInPlace.Range(4096, 0, PAGE))))
                        .hasMessageContaining("UFFDIO_REGISTER");
            }
            assertThat(counting.end()).isEqualTo("right");
            assertThat(template.size()).isEqualTo(PAGES * PAGE);
        }
    }
}
