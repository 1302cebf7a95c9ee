package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.exomem.backend.vmm.PagedMemory;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.linux.SmallDisk;
import org.exomem.migration.pager.PagerState.Status;
import org.exomem.migration.stream.destination.WantedPage;
import org.exomem.pages.PageBits;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Pages that arrive from another host in the memory of a process that waits for them, on a file system that may be
 * full.
 */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class ArrivingMemoryTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final int PAGE = 4096;
    private static final int PAGES = 1024;
    private static final byte CONTENT = 77;

    @TempDir
    Path folder;

    private SmallDisk disk;
    private Process vmm;
    private BufferedReader said;
    private Writer commands;
    private PagedMemory memory;
    private final List<Long> asked = new CopyOnWriteArrayList<>();

    @BeforeEach
    void watchedMemory() throws Exception {
        disk = SmallDisk.at(folder, 64 * PAGE);
        Path ram = folder.resolve("ram");
        SharedFile.create(ram, (long) PAGES * PAGE).close();
        vmm = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:+UseSerialGC",
                        "-XX:TieredStopAtLevel=1",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        TouchingProgram.class.getName(),
                        ram.toString())
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        said = vmm.inputReader();
        commands = vmm.outputWriter();
        assertThat(said.readLine()).isEqualTo("ready");
        memory = ((PagedMemory.Found.Taken) PagedMemory.takeUp((int) vmm.pid(), List.of(ram))).memory();
    }

    @AfterEach
    void endAll() throws Exception {
        if (vmm != null) {
            vmm.destroyForcibly().waitFor();
            said.close();
            disk.close();
        }
    }

    private ArrivingMemory arriving(WantedPage want) throws IOException {
        PageBits all = new PageBits(PAGES);
        all.addAll();
        ArrivingMemory arriving = new ArrivingMemory("web", memory, all);
        arriving.begin(all, want);
        return arriving;
    }

    private static MemorySegment content(long pages) {
        return Arena.ofAuto().allocate(pages * PAGE).fill(CONTENT);
    }

    private void touch(long page) throws IOException {
        commands.write(page + "\n");
        commands.flush();
    }

    @Test
    @Tag("PGR-STALL-1")
    void pagesForWhichTheHostHasNoMemoryArePlacedWhenItHas() throws Exception {
        try (ArrivingMemory arriving = arriving(asked::add)) {
            CompletableFuture<Void> placed = new CompletableFuture<>();
            Thread.ofPlatform().daemon().start(() -> {
                try {
                    arriving.sink(() -> true).pages(0, content(256));
                    placed.complete(null);
                } catch (IOException | RuntimeException e) {
                    placed.completeExceptionally(e);
                }
            });
            await().atMost(LIMIT).until(() -> arriving.state().status() == Status.STALLED);
            assertThat(arriving.state().reason().orElseThrow()).contains("ENOMEM");
            assertThat(placed).isNotDone();
            disk.resize(2L * PAGES * PAGE);
            placed.get(LIMIT.toSeconds(), TimeUnit.SECONDS);
            assertThat(arriving.state().status()).isEqualTo(Status.SERVING);
            touch(255);
            assertThat(said.readLine()).isEqualTo(Byte.toString(CONTENT));
            assertThat(asked).isEmpty();
        }
    }

    @Test
    @Tag("PGR-STALL-1")
    void nobodyWaitsForMemoryOnBehalfOfAConnectionThatIsLost() throws Exception {
        AtomicBoolean counts = new AtomicBoolean(true);
        try (ArrivingMemory arriving = arriving(asked::add)) {
            counts.set(false);
            assertThatThrownBy(() -> arriving.sink(counts::get).pages(0, content(256)))
                    .isInstanceOf(LinuxException.class)
                    .hasMessageContaining("ENOMEM");
        }
    }

    @Test
    @Tag("PGR-AGAIN-1")
    void whoeverWaitsIsServedAgainAfterAFaultOfThePager() throws Exception {
        AtomicBoolean failed = new AtomicBoolean();
        try (ArrivingMemory arriving = arriving(page -> {
            if (!failed.getAndSet(true)) {
                throw new AssertionError("a fault");
            }
            asked.add(page);
        })) {
            touch(5);
            await().atMost(LIMIT).until(() -> asked.contains(5L));
            arriving.sink(() -> true).pages(5, content(1));
            assertThat(said.readLine()).isEqualTo(Byte.toString(CONTENT));
            assertThat(arriving.state().status()).isEqualTo(Status.SERVING);
        }
    }
}
