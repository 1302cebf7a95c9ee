package org.exomem.images.copy;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CancellationException;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.exomem.images.ImageException;
import org.exomem.images.copy.SparseCopy.Progress;
import org.exomem.images.copy.SparseCopy.Result;
import org.exomem.images.copy.SparseCopy.Way;
import org.exomem.images.manifest.ImageWriter;
import org.exomem.linux.Errno;
import org.exomem.linux.HugePages;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.pages.PageBits;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SparseCopyTest {
    private static final int PAGE = 4096;
    private static final int PAGES = 8192;
    private static final long SIZE = (long) PAGES * PAGE;

    @TempDir
    private Path folder;

    /** The kind of a page of a simulated guest. */
    private enum Kind {
        HOLE,
        ZEROS,
        DATA,
        FREE_DATA,
        FREE_HOLE
    }

    /** A guest's RAM with runs of all kinds of pages. */
    private static final class Ram implements AutoCloseable {
        private final SharedFile file;
        private final List<Kind> kinds = new ArrayList<>();
        private final PageBits free = new PageBits(PAGES);

        Ram(SharedFile file, long seed) throws LinuxException {
            this.file = file;
            Random random = new Random(seed);
            try (Mapping mapping = Mapping.of(file, 0, SIZE)) {
                while (kinds.size() < PAGES) {
                    Kind kind = Kind.values()[random.nextInt(Kind.values().length)];
                    int run = 1 + random.nextInt(random.nextInt(8) == 0 ? 500 : 6);
                    for (int i = 0; i < run && kinds.size() < PAGES; i++) {
                        fill(mapping.segment().asSlice((long) kinds.size() * PAGE, PAGE), kind, random);
                        if (kind == Kind.FREE_DATA || kind == Kind.FREE_HOLE) {
                            free.add(kinds.size());
                        }
                        kinds.add(kind);
                    }
                }
            }
        }

        private static void fill(MemorySegment page, Kind kind, Random random) {
            switch (kind) {
                case HOLE, FREE_HOLE -> {}
                case ZEROS -> page.set(JAVA_BYTE, 0, (byte) 0);
                // Mostly zeros: a single byte anywhere makes it data.
                case DATA, FREE_DATA -> page.set(JAVA_BYTE, random.nextInt(PAGE), (byte) (1 + random.nextInt(255)));
            }
        }

        long bytes(Kind wanted) {
            return kinds.stream().filter(kind -> kind == wanted).count() * PAGE;
        }

        @Override
        public void close() {
            file.close();
        }
    }

    private static Ram memory(long seed) throws LinuxException {
        return new Ram(SharedFile.memfd("ram", SIZE), seed);
    }

    private static void assertCopied(Ram ram, Path copy) throws IOException {
        try (SharedFile file = SharedFile.openForReading(copy);
                Mapping there = Mapping.forReading(file, 0, SIZE);
                Mapping here = Mapping.forReading(ram.file, 0, SIZE)) {
            assertThat(file.size()).isEqualTo(SIZE);
            for (int page = 0; page < PAGES; page++) {
                MemorySegment wanted = ram.free.contains(page)
                        ? MemorySegment.ofArray(new byte[PAGE])
                        : here.segment().asSlice((long) page * PAGE, PAGE);
                assertThat(there.segment().asSlice((long) page * PAGE, PAGE).mismatch(wanted))
                        .as("page %d, %s", page, ram.kinds.get(page))
                        .isEqualTo(-1);
            }
        }
    }

    @Test
    void copyHasTheNeededPagesAndHolesForAllOthers() throws IOException {
        for (long seed = 1; seed <= 3; seed++) {
            Path to = folder.resolve("copy" + seed);
            try (Ram ram = memory(seed)) {
                Result result = SparseCopy.copy(ram.file, to, ram.free, Progress.NONE);

                assertThat(result)
                        .isEqualTo(new Result(
                                Way.COPIED,
                                ram.bytes(Kind.DATA),
                                ram.bytes(Kind.HOLE) + ram.bytes(Kind.FREE_HOLE),
                                ram.bytes(Kind.ZEROS),
                                ram.bytes(Kind.FREE_DATA)));
                assertCopied(ram, to);
                try (SharedFile copy = SharedFile.openForReading(to)) {
                    assertThat(copy.allocatedBytes()).isBetween(ram.bytes(Kind.DATA), ram.bytes(Kind.DATA) + (1 << 17));
                }
                assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(to)))
                        .isEqualTo("rw-------");
            }
        }
    }

    @Test
    void storageIsSharedWhereTheFileSystemCan() throws IOException {
        try (MountedDisk disk = MountedDisk.xfs(folder)) {
            Path to = disk.folder().resolve("copy");
            try (Ram ram = new Ram(SharedFile.create(disk.folder().resolve("ram"), SIZE), 4)) {
                Result result = SparseCopy.copy(ram.file, to, ram.free, Progress.NONE);

                assertThat(result.way()).isEqualTo(Way.SHARED);
                assertThat(result.copied() + result.free() + result.holes()).isEqualTo(SIZE);
                assertThat(result.copied()).isGreaterThanOrEqualTo(ram.bytes(Kind.DATA));
                assertCopied(ram, to);
            }
        }
    }

    @Test
    void progressIsToldUpToTheEnd() throws IOException {
        List<Long> told = new ArrayList<>();
        try (Ram ram = memory(5)) {
            SparseCopy.copy(ram.file, folder.resolve("copy"), null, (done, all) -> {
                assertThat(all).isEqualTo(SIZE);
                told.add(done);
            });
        }

        assertThat(told).hasSizeGreaterThan(1).isSorted().last().isEqualTo(SIZE);
    }

    @Test
    void nothingIsLeftOfACopyThatWasCancelled() throws IOException {
        try (Ram ram = memory(6)) {
            assertThatThrownBy(() -> SparseCopy.copy(ram.file, folder.resolve("copy"), ram.free, (done, all) -> {
                        throw new CancellationException("enough");
                    }))
                    .isInstanceOf(CancellationException.class);
        }

        assertThat(folder).isEmptyDirectory();
    }

    /** The truncated part reads as a hole, even if the file has its size again at the end. */
    @ParameterizedTest
    @ValueSource(longs = {PAGE, SIZE})
    void nothingIsLeftOfACopyOfAFileThatIsCutShortMeanwhile(long sizeAtTheEnd) throws IOException {
        try (Ram ram = memory(7)) {
            assertThatThrownBy(() -> SparseCopy.copy(ram.file, folder.resolve("copy"), ram.free, (done, all) -> {
                        try {
                            ram.file.truncate(0);
                            ram.file.truncate(sizeAtTheEnd);
                        } catch (LinuxException e) {
                            throw new IllegalStateException(e);
                        }
                    }))
                    .asInstanceOf(InstanceOfAssertFactories.type(ImageException.class))
                    .extracting(ImageException::fault)
                    .isEqualTo(ImageException.Fault.CHANGED);
        }

        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void nothingIsLeftWhereTheDiskIsFull() throws IOException {
        Path small = Files.createDirectory(folder.resolve("small"));
        try (Ram ram = memory(7);
                MountedDisk disk = MountedDisk.tmpfs(small, 1 << 20)) {
            assertThatThrownBy(() -> SparseCopy.copy(ram.file, disk.folder().resolve("copy"), ram.free, Progress.NONE))
                    .asInstanceOf(InstanceOfAssertFactories.type(LinuxException.class))
                    .extracting(LinuxException::errno)
                    .isEqualTo(Errno.ENOSPC);
            assertThat(disk.folder()).isEmptyDirectory();
        }
    }

    @Test
    void whatIsThereIsNotOverwritten() throws IOException {
        Path there = Files.writeString(folder.resolve("copy"), "mine");
        try (Ram ram = memory(8)) {
            assertThatThrownBy(() -> SparseCopy.copy(ram.file, there, null, Progress.NONE))
                    .isInstanceOf(ImageException.class)
                    .hasMessageContaining("already exists");
        }

        assertThat(there).hasContent("mine");
    }

    @Test
    void otherNumberOfFreePagesIsRefused() throws IOException {
        try (Ram ram = memory(9)) {
            PageBits other = new PageBits(PAGES - 1);
            assertThatThrownBy(() -> SparseCopy.copy(ram.file, folder.resolve("copy"), other, Progress.NONE))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> PageDrop.of(ram.file, other)).isInstanceOf(IllegalArgumentException.class);
        }
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void pagesAreDroppedInPlace() throws IOException {
        try (Ram ram = memory(10)) {
            PageDrop.Result result = PageDrop.of(ram.file, ram.free);

            assertThat(result)
                    .isEqualTo(new PageDrop.Result(
                            ram.bytes(Kind.DATA), ram.bytes(Kind.ZEROS), ram.bytes(Kind.FREE_DATA)));
            assertThat(ram.file.allocatedBytes()).isEqualTo(ram.bytes(Kind.DATA));
            try (Mapping mapping = Mapping.forReading(ram.file, 0, SIZE)) {
                for (int page = 0; page < PAGES; page++) {
                    assertThat(ZeroPages.isZero(mapping.segment(), (long) page * PAGE))
                            .isEqualTo(ram.kinds.get(page) != Kind.DATA);
                }
            }
        }
    }

    @Test
    void emptyFileAndOneWithoutHolesAreCopied() throws IOException {
        try (SharedFile hole = SharedFile.memfd("hole", 1L << 40)) {
            assertThat(SparseCopy.copy(hole, folder.resolve("hole"), null, Progress.NONE))
                    .isEqualTo(new Result(Way.COPIED, 0, 1L << 40, 0, 0));
        }
        try (SharedFile full = SharedFile.memfd("full", 1 << 20);
                Mapping mapping = Mapping.of(full, 0, 1 << 20)) {
            mapping.segment().fill((byte) 7);
            assertThat(SparseCopy.copy(full, folder.resolve("full"), null, Progress.NONE))
                    .isEqualTo(new Result(Way.COPIED, 1 << 20, 0, 0, 0));
            assertThat(folder.resolve("full")).hasSize(1 << 20);
        }
    }

    @Test
    void ramIsCopiedToHugePagesAndBackWhereTheHostHasThem() throws IOException {
        long seed = 7;
        try (HugePages huge = HugePages.reserve((int) (SIZE / HugePages.SIZE));
                MountedDisk disk = MountedDisk.hugetlbfs(Files.createDirectory(folder.resolve("huge")));
                Ram ram = new Ram(SharedFile.memfd("ram", SIZE), seed)) {
            Path there = disk.folder().resolve("ram");
            Result to = SparseCopy.copy(ram.file, there, null, Progress.NONE);
            assertThat(to.copied() + to.holes() + to.zeros()).isEqualTo(SIZE);
            try (SharedFile copy = SharedFile.openForReading(there)) {
                assertThat(copy.pageSize()).isEqualTo(HugePages.SIZE);
                SparseCopy.copy(copy, folder.resolve("back"), null, Progress.NONE);
            }
            try (SharedFile back = SharedFile.openForReading(folder.resolve("back"));
                    Mapping is = Mapping.forReading(back, 0, SIZE);
                    Mapping was = Mapping.of(ram.file, 0, SIZE)) {
                assertThat(is.segment().mismatch(was.segment())).isEqualTo(-1);
            }
            assertThatThrownBy(() -> SparseCopy.copy(ram.file, disk.folder().resolve("more"), null, Progress.NONE))
                    .isInstanceOfSatisfying(
                            LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ENOSPC));
            assertThat(disk.folder().resolve("more")).doesNotExist();
            try (SharedFile odd = SharedFile.memfd("odd", 3 * PAGE)) {
                assertThatThrownBy(() -> SparseCopy.copy(odd, disk.folder().resolve("odd"), null, Progress.NONE))
                        .isInstanceOf(ImageException.class)
                        .hasMessageContaining("not a multiple of the huge page size");
            }
            assertThat(disk.folder().resolve("odd")).doesNotExist();
            assertThatThrownBy(() -> ImageWriter.begin(disk.folder().resolve("image")))
                    .isInstanceOf(ImageException.class)
                    .hasMessageContaining("hugetlbfs");
            assertThat(disk.folder().resolve("image")).doesNotExist();
            Files.delete(there);
        }
    }
}
