package org.exomem.migration.pagesource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.exomem.linux.SharedFile;
import org.exomem.linux.SlowFile;
import org.exomem.migration.CancelToken;
import org.exomem.migration.PageSink;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.precopy.Destination;
import org.exomem.migration.precopy.GuestControl;
import org.exomem.migration.precopy.MigrationSource;
import org.exomem.migration.precopy.Precopy;
import org.exomem.migration.precopy.PrecopyOptions;
import org.exomem.pages.PageBits;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A process that reads a slow file past the page cache into its guest's memory, as a VMM does for a disk with
 * cache=none.
 */
@Tag("MIG-DIRTY-8")
class DirectReadTest {
    private static final int PAGE = 4096;
    private static final int PAGES = 64;
    private static final int FIRST = 20;
    private static final int COUNT = 4;

    private Path folder;
    private MemoryImage image;
    private MappingProcess process;
    private SlowFile disk;

    @BeforeEach
    void startProcess() throws IOException {
        assumeThat(SlowFile.whyNot()).as("a slow file").isEmpty();
        folder = Files.createTempDirectory(Path.of("/dev/shm"), "exomem-watch");
        Path ram = folder.resolve("ram");
        image = new MemoryImage(List.of(new ImageFile("ram", SharedFile.create(ram, PAGES * PAGE))));
        disk = SlowFile.over(Files.createFile(folder.resolve("disk")), PAGES * PAGE, 1);
        process = MappingProcess.start();
        process.obey("map", ram, 0, PAGES * PAGE);
        for (int page = 0; page < PAGES; page++) {
            process.obey("write", 0, page * PAGE, 1);
        }
    }

    @AfterEach
    void endProcess() throws IOException {
        try (SlowFile itsDisk = disk;
                MappingProcess itself = process) {
            if (image != null) {
                image.close();
            }
        }
        if (folder != null) {
            Files.deleteIfExists(folder.resolve("ram"));
            Files.deleteIfExists(folder.resolve("disk"));
            Files.delete(folder);
        }
    }

    private void beginRead() throws IOException {
        process.obey("direct", 0, FIRST * PAGE, COUNT * PAGE, folder.resolve("disk"));
        disk.awaitReads(1);
    }

    private void endRead() throws IOException {
        disk.letGo();
        assertThat(process.line()).isEqualTo("read");
    }

    /** The reason for MIG-DIRTY-8. */
    @Test
    void readIsToldWhenItBeginsAndNotWhenItsBytesArrive() throws IOException {
        try (WatchedWrites writes = process.watch(image, true, note -> {})) {
            assertThat(writes.mayTellEarly()).isTrue();
            beginRead();
            PageBits early = new PageBits(PAGES);
            writes.sync(early);
            assertThat(early.count()).isEqualTo(COUNT);
            assertThat(early.contains(FIRST)).isTrue();
            assertThat(copy(FIRST)[0]).isEqualTo((byte) 1);

            endRead();
            assertThat(copy(FIRST)).isEqualTo(onDisk(FIRST));
            PageBits late = new PageBits(PAGES);
            writes.sync(late);
            assertThat(late.isEmpty()).isTrue();
        }
    }

    /** With the rule no write is lost. Without it the test would notice a loss. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void readThatIsUnderWayInTheRoundsAndEndsBeforeThePauseArrives(boolean rule) throws IOException {
        byte[][] arrived = new byte[PAGES][PAGE];
        try (WatchedWrites writes = process.watch(image, rule, note -> {})) {
            GuestControl control = new GuestControl() {
                @Override
                public void prepare() throws IOException {
                    // The read ends after the last round, which sends again the early marked pages.
                    endRead();
                }

                @Override
                public void pause() {}

                @Override
                public void resume() {}
            };
            beginRead();
            MigrationSource source = new MigrationSource(image, List.of(writes), List.of(), HintSessions.NONE, control);
            Destination destination = new Destination(List.of(new Copy(arrived)), () -> {});
            new Precopy(source, destination, PrecopyOptions.DEFAULT, progress -> {}, new CancelToken()).run();
        }
        assertThat(arrived[FIRST - 1]).isEqualTo(copy(FIRST - 1));
        for (int page = FIRST; page < FIRST + COUNT; page++) {
            assertThat(copy(page)).isEqualTo(onDisk(page));
            if (rule) {
                assertThat(arrived[page]).isEqualTo(onDisk(page));
            } else {
                assertThat(arrived[page]).isEqualTo(before());
            }
        }
    }

    /** The content of each page before the read. */
    private static byte[] before() {
        byte[] page = new byte[PAGE];
        page[0] = 1;
        return page;
    }

    /** The content that a page gets from the read: the disk is read from its beginning. */
    private static byte[] onDisk(int page) {
        return SlowFile.content((long) (page - FIRST) * PAGE, PAGE);
    }

    private byte[] copy(int page) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(PAGE, 8);
            image.read(page, bytes);
            return bytes.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    /** A destination in arrays. */
    private record Copy(byte[][] pages) implements PageSink {
        @Override
        public void pages(long first, MemorySegment content) {
            for (int i = 0; i < content.byteSize() / PAGE; i++) {
                pages[(int) first + i] = content.asSlice((long) i * PAGE, PAGE).toArray(ValueLayout.JAVA_BYTE);
            }
        }

        @Override
        public void zeros(long first, long count) {
            for (int i = 0; i < count; i++) {
                pages[(int) first + i] = new byte[PAGE];
            }
        }

        @Override
        public void free(long first, long count) {}
    }
}
