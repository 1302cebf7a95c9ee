package org.exomem.migration.pagesource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.exomem.linux.SharedFile;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.pages.PageBits;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A process has 512 MiB mapped and writes its pages in random order. */
@Tag("MIG-WATCH-8")
class WriteRateTest {
    private static final long PAGE = 4096;
    private static final long SIZE = 512L << 20;
    private static final int PAGES = (int) (SIZE / PAGE);
    private static final long FEW = WatchedWrites.BEARABLE_RATE;
    /** A writer exceeds this even if other processes have most of the processor. */
    private static final long VERY_FEW = FEW / 20;

    private Path folder;
    private MemoryImage image;
    private MappingProcess process;

    @BeforeEach
    void startProcess() throws IOException {
        assumeThat(System.getProperty("os.arch")).isEqualTo("amd64");
        folder = Files.createTempDirectory(Path.of("/dev/shm"), "exomem-rate");
        Path file = folder.resolve("ram");
        image = new MemoryImage(List.of(new ImageFile("ram", SharedFile.create(file, SIZE))));
        startWriter();
    }

    private void startWriter() throws IOException {
        process = MappingProcess.start();
        process.obey("map", folder.resolve("ram"), 0, SIZE);
    }

    @AfterEach
    void endProcess() throws IOException {
        if (process != null) {
            process.close();
        }
        if (image != null) {
            image.close();
        }
        if (folder != null) {
            Files.deleteIfExists(folder.resolve("ram"));
            Files.delete(folder);
        }
    }

    @Test
    void aProcessThatWritesAllOfItsMemoryAgainAndAgainIsNotWatched() throws IOException {
        // Repeated, as other processes may have both processors during the whole measurement. Each attempt has its own
        // process, because a userfaultfd is set up only once.
        await().atMost(Duration.ofSeconds(60)).untilAsserted(this::expectThatABusyWriterIsNotWatched);
    }

    private void expectThatABusyWriterIsNotWatched() throws IOException {
        process.close();
        startWriter();
        process.obey("busy", 0, PAGES);
        assertThatThrownBy(this::watch).hasMessageContaining("writes too much memory");
    }

    private void watch() throws IOException {
        process.watch(image, VERY_FEW, why -> {}).close();
    }

    @Test
    void itIsWatchedAllTheSameIfThatIsWanted() throws IOException {
        process.obey("busy", 0, PAGES);
        try (WatchedWrites writes = process.watch(image, WatchedWrites.ANY_RATE, why -> {})) {
            assertThat(writes.lost()).isEmpty();
        }
    }

    @Test
    void aProcessThatRestsIsWatched() throws IOException {
        process.obey("write", 0, 7 * PAGE, 1);
        try (WatchedWrites writes = process.watch(image, FEW, why -> {})) {
            process.obey("write", 0, 9 * PAGE, 1);
            PageBits into = new PageBits(PAGES);
            writes.sync(into);
            assertThat(into).hasToString("9");
        }
    }

    @Test
    void aProcessThatWritesTheSameFewPagesAgainAndAgainIsWatched() throws IOException {
        process.obey("busy", 0, 600);
        try (WatchedWrites writes = process.watch(image, FEW, why -> {})) {
            PageBits into = new PageBits(PAGES);
            writes.sync(into);
            assertThat(into.count()).isLessThanOrEqualTo(600);
        }
    }
}
