package org.exomem.migration.pagesource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.awaitility.Awaitility;
import org.exomem.linux.SharedFile;
import org.exomem.linux.WrittenPages;
import org.exomem.linux.process.MappedFiles;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.pages.PageBits;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A process has 16 MiB mapped, all of it there, and writes some of its pages. */
@Timeout(60)
@Tag("MIG-WATCH-8")
class BusyBlocksTest {
    private static final long PAGE = 4096;
    private static final int BLOCK = 512;
    private static final long SIZE = 8 * BLOCK * PAGE;
    private static final long MILLISECOND = 1_000_000;
    /** Any fault is one too many, and four in a block make it busy. */
    private static final BusyBlocks.Limits STRICT = new BusyBlocks.Limits(0, 4, MILLISECOND);

    private Path folder;
    private MemoryImage image;
    private MappingProcess process;

    @BeforeEach
    void startProcess() throws IOException {
        assumeThat(System.getProperty("os.arch")).isEqualTo("amd64");
        folder = Files.createTempDirectory(Path.of("/dev/shm"), "exomem-busy");
        image = new MemoryImage(List.of(new ImageFile("ram", SharedFile.create(file(), SIZE))));
        process = MappingProcess.start();
        process.obey("map", file(), 0, SIZE);
        for (long at = 0; at < SIZE; at += PAGE) {
            process.obey("write", 0, at, 1);
        }
    }

    private Path file() {
        return folder.resolve("ram");
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
            Files.deleteIfExists(file());
            Files.delete(folder);
        }
    }

    private static PageBits sync(WatchedWrites writes) {
        PageBits into = new PageBits(SIZE / PAGE);
        writes.sync(into);
        return into;
    }

    /** The pages without protection, looked at from outside. */
    private long unprotected() throws IOException {
        long[] pages = {0};
        try (WrittenPages written = WrittenPages.of(process.pid())) {
            for (MappedFiles.Area area : MappedFiles.of(process.pid()).areas()) {
                if (area.file()
                        .equals(MappedFiles.nameOf(image.files().getFirst().file()))) {
                    written.look(area.from(), area.to(), (from, to) -> pages[0] += (to - from) / PAGE);
                }
            }
        }
        return pages[0];
    }

    private void write(int block, int pages, int value) throws IOException {
        for (int page = 0; page < pages; page++) {
            process.obey("write", 0, (block * (long) BLOCK + 7L * page) * PAGE, value);
        }
    }

    @Test
    void aBlockThatIsWrittenMuchIsNotProtectedUntilTheNextSyncWhichTellsAllOfIt() throws IOException {
        try (WatchedWrites writes = process.watch(image, STRICT, why -> {})) {
            assertThat(sync(writes).count()).isZero();
            // One more write at a time: how much is new is seen between two looks.
            int[] value = {2};
            Awaitility.await().atMost(Duration.ofSeconds(20)).until(() -> {
                write(3, 9, value[0]++);
                process.obey("write", 0, (3L * BLOCK + 100 + value[0] % 400) * PAGE, 1);
                return unprotected() >= BLOCK / 2;
            });
            process.obey("write", 0, 6L * BLOCK * PAGE, 9);
            PageBits told = sync(writes);
            for (long page = 0; page < SIZE / PAGE; page++) {
                // Blocks of the address space are not those of the file.
                if (page < 2L * BLOCK || page >= 5L * BLOCK) {
                    assertThat(told.contains(page)).as("page %d", page).isEqualTo(page == 6L * BLOCK);
                }
            }
            assertThat(told.count()).isGreaterThan(BLOCK / 2);
            assertThat(sync(writes).count()).as("protected again").isZero();
        }
    }

    @Test
    void whatIsWrittenAfterTheProtectionIsGoneIsToldToo() throws IOException {
        try (WatchedWrites writes = process.watch(image, STRICT, why -> {})) {
            sync(writes);
            for (int round = 0; round < 20; round++) {
                write(2, 40, round);
                PageBits told = sync(writes);
                for (int page = 0; page < 40; page++) {
                    assertThat(told.contains(2L * BLOCK + 7L * page))
                            .as("round %d", round)
                            .isTrue();
                }
            }
        }
    }

    @Test
    void aGuestThatWritesLittleIsToldPageByPage() throws IOException {
        try (WatchedWrites writes = process.watch(image, BusyBlocks.Limits.REAL, why -> {})) {
            sync(writes);
            write(1, 60, 3);
            assertThat(sync(writes).count()).isEqualTo(60);
        }
    }
}
