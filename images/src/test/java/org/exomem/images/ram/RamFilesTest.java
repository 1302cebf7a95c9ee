package org.exomem.images.ram;

import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.exomem.images.ImageException;
import org.exomem.images.ImageException.Fault;
import org.exomem.images.ram.RamFiles.Room;
import org.exomem.linux.FileStatus;
import org.exomem.linux.ResidentPages;
import org.exomem.linux.SharedFile;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RamFilesTest {
    private static final int MIB = 1 << 20;
    private static final List<RamFileName> TWO =
            RamFileName.of(List.of(new RamBlock("r0", 8 * MIB), new RamBlock("r1", 4 * MIB)));

    @TempDir
    private Path folder;

    private RamFiles files;

    @BeforeEach
    void open() throws IOException {
        files = RamFiles.in(folder);
    }

    private static void assertFault(Fault fault, String text, ThrowingCallable call) {
        assertThatThrownBy(call)
                .hasMessageContaining(text)
                .asInstanceOf(InstanceOfAssertFactories.type(ImageException.class))
                .extracting(ImageException::fault)
                .isEqualTo(fault);
    }

    @Test
    void filesAreMadeWithTheSameNamesEachTimeForTheirOwnerOnly() throws IOException {
        files.create(TWO, Room.ON_DEMAND);

        assertThat(files.list()).extracting(RamFile::name).containsExactlyElementsOf(TWO);
        assertThat(files.check(TWO)).extracting(RamFile::dataBytes).containsExactly(0L, 0L);
        assertThat(files.check()).hasSize(2);
        assertThat(folder.resolve("exomem.800000+400000.r1")).hasSize(4 * MIB);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(files.path(TWO.getFirst()))))
                .isEqualTo("rw-------");
    }

    @Test
    void reservedFilesHaveTheirRoomAtOnce() throws IOException {
        files.create(TWO, Room.RESERVED);

        assertThat(files.list()).extracting(RamFile::holeBytes).containsExactly(0L, 0L);
    }

    @Test
    void nothingIsMadeWhereOneIsThere() throws IOException {
        Files.writeString(files.path(TWO.get(1)), "mine");

        assertFault(Fault.EXISTS, "exomem.800000+400000.r1", () -> files.create(TWO, Room.ON_DEMAND));

        assertThat(files.path(TWO.getFirst())).doesNotExist();
        assertThat(files.path(TWO.get(1))).hasContent("mine");
    }

    @Test
    void whatWasMadeGoesAgainWhereThereIsNoRoomForAll() throws IOException {
        List<RamFileName> large = RamFileName.of(List.of(new RamBlock("small", MIB), new RamBlock("large", 1L << 50)));

        assertThatThrownBy(() -> files.create(large, Room.RESERVED)).isInstanceOf(IOException.class);

        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void temporaryFileHasNoNameWhileItIsUsed() throws IOException {
        try (SharedFile file = files.temporary(TWO.getFirst(), Room.ON_DEMAND)) {
            assertThat(file.size()).isEqualTo(8 * MIB);
            assertThat(folder).isEmptyDirectory();
        }
    }

    @Test
    void openedFileIsTheOneThatItsNameSays() throws IOException {
        files.create(TWO, Room.ON_DEMAND);

        try (SharedFile file = files.open(TWO.getFirst());
                SharedFile again = files.openForReading(TWO.getFirst())) {
            assertThat(file.isSameFileAs(again)).isTrue();
            assertThat(FileStatus.of(file.fd()).size()).isEqualTo(8 * MIB);
        }
    }

    @Test
    void truncatedFileIsNotOpened() throws IOException {
        files.create(TWO, Room.ON_DEMAND);
        try (FileChannel channel = FileChannel.open(files.path(TWO.getFirst()), WRITE)) {
            channel.truncate(MIB);
        }

        assertFault(Fault.SIZE, "truncated", () -> files.open(TWO.getFirst()));
        assertFault(Fault.SIZE, "has 1 MiB", () -> files.check(TWO));
        assertFault(Fault.SIZE, "its name states 8 MiB", files::check);
    }

    @Test
    void fileOfAnotherSizeIsNamedWhereOneIsWanted() throws IOException {
        files.create(TWO, Room.ON_DEMAND);
        RamFileName larger = new RamFileName(0, 16 * MIB, "r0");

        assertFault(Fault.MISMATCH, "8 MiB at offset 0 B", () -> files.open(larger));
        assertFault(
                Fault.MISMATCH,
                "expected was one with 16 MiB",
                () -> files.check(List.of(larger, new RamFileName(16 * MIB, 4 * MIB, "r1"))));
    }

    @Test
    void missingFileIsNamedWithWhatIsThere() throws IOException {
        assertFault(Fault.MISSING, "the folder has no RAM files", () -> files.open(TWO.getFirst()));
        files.create(TWO.subList(0, 1), Room.ON_DEMAND);

        assertFault(Fault.MISSING, "the folder has exomem.0+800000.r0", () -> files.check(TWO));
    }

    @Test
    void fileTooManyIsNamed() throws IOException {
        files.create(TWO, Room.ON_DEMAND);

        assertFault(Fault.MISMATCH, "exomem.800000+400000.r1", () -> files.check(TWO.subList(0, 1)));
    }

    @Test
    void gapBetweenFilesIsNamed() throws IOException {
        files.create(TWO.subList(1, 2), Room.ON_DEMAND);

        assertFault(Fault.MISMATCH, "ends at 0 B", files::check);
    }

    @Test
    void linkAndFolderAreNoRamFiles() throws IOException {
        Path elsewhere = Files.createFile(folder.resolve("elsewhere"));
        Files.createSymbolicLink(files.path(TWO.getFirst()), elsewhere);

        assertFault(Fault.FOREIGN, "not a regular file", () -> files.open(TWO.getFirst()));
        assertFault(Fault.FOREIGN, "not a regular file", files::list);
        assertFault(Fault.EXISTS, "exomem.0+800000.r0", () -> files.create(TWO, Room.ON_DEMAND));
    }

    @Test
    void otherFilesOfTheFolderAreLeftAlone() throws IOException {
        Files.writeString(folder.resolve("exomem.txt"), "notes");
        files.create(TWO, Room.ON_DEMAND);

        assertThat(files.list()).hasSize(2);
        assertThat(files.remove(TWO.getFirst())).isTrue();
        assertThat(files.remove(TWO.getFirst())).isFalse();
        assertThat(folder.resolve("exomem.txt")).hasContent("notes");
    }

    @Test
    void dataAndHolesAreTold() throws IOException {
        files.create(TWO, Room.ON_DEMAND);
        try (FileChannel channel = FileChannel.open(files.path(TWO.getFirst()), WRITE)) {
            channel.write(ByteBuffer.allocate(MIB), 2 * MIB);
        }

        assertThat(files.list()).extracting(RamFile::dataBytes).containsExactly((long) MIB, 0L);
        try (SharedFile file = files.openForReading(TWO.getFirst())) {
            assertThat(ResidentPages.bytes(file)).isEqualTo(MIB);
        }
    }

    @Test
    void folderThatIsNotThereIsNamed() throws IOException {
        Path missing = folder.resolve("a/b");

        assertFault(Fault.NO_IMAGE, "a/b", () -> RamFiles.in(missing));
        assertFault(Fault.NO_IMAGE, "only the last folder", () -> RamFiles.made(missing));
        assertThat(RamFiles.made(folder.resolve("c")).folder()).isDirectory();
    }

    @Test
    void kindsOfFileSystemsAreToldApart() throws IOException {
        assertThat(FileSystemKind.of(Path.of("/dev/shm"))).isEqualTo(FileSystemKind.TMPFS);
        assertThat(FileSystemKind.TMPFS.warning(folder)).isEmpty();
        assertThat(FileSystemKind.TMPFS.warningIfMapped("it")).isEmpty();
        assertThat(FileSystemKind.HUGETLBFS.warningIfMapped("it")).isEmpty();
        assertThat(FileSystemKind.DISK.warningIfMapped("it"))
                .get()
                .asString()
                .contains("this process and all its VMs stop");
        try (SharedFile memfd = SharedFile.memfd("kind", 4096)) {
            assertThat(FileSystemKind.of(memfd.fd())).isEqualTo(FileSystemKind.TMPFS);
        }
        assertThat(FileSystemKind.of(0x6969).warning(folder)).get().asString().contains("network", "--any-fs");
        assertThat(FileSystemKind.of(0x9123683eL)).isEqualTo(FileSystemKind.DISK);
        assertThat(FileSystemKind.of(0x958458f6L).isMemory()).isTrue();
        assertThat(FileSystemKind.of(0x12345678L).warning(folder))
                .get()
                .asString()
                .contains("unknown file system");
    }
}
