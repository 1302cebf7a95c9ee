package org.exomem.linux;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/**
 * The content of a small file that a user has named: of a regular one only, so that nobody waits for the writer of a FIFO or
 * reads a device without end, and only up to a limit.
 *
 * @param status what was found when it was read
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record SmallFile(FileStatus status, byte[] content) {
    private static final FileAttribute<?> OWNER_ONLY =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
    private static final int O_NONBLOCK = 0x800;
    private static final int O_CLOEXEC = 0x80000;

    /**
     * Reads a file; follows symbolic links. A file system that hangs can still hold it up: not for threads that others wait for.
     *
     * @param most bytes that it may have
     * @throws LinuxException if it can't be opened, ENOENT if it is not there
     * @throws IOException saying that it is no regular file, or larger; or if it can't be read
     */
    public static SmallFile read(Path file, int most) throws IOException {
        MemorySegment name = NativeBuffer.ofUtf8(file.toString());
        int result = LibC.open(name.address(), O_NONBLOCK | O_CLOEXEC, 0);
        Reference.reachabilityFence(name);
        try (Fd fd = Fd.of(result, "open", file.toString())) {
            FileStatus status = FileStatus.of(fd);
            if (!status.isRegularFile()) {
                throw new IOException(file + " is not a regular file");
            }
            return new SmallFile(status, content(file, fd, most));
        }
    }

    /**
     * Makes a file that only its owner can read and change, in place of one that is there. It is there completely, or not at all; it is not forced to
     * disk.
     *
     * @throws IOException if that can't be done; what was there stays
     */
    public static void replace(Path file, byte[] content) throws IOException {
        Path beside = file.resolveSibling("." + file.getFileName() + ".new");
        try {
            Files.deleteIfExists(beside);
            try (FileChannel channel = FileChannel.open(
                    beside, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), OWNER_ONLY)) {
                ByteBuffer rest = ByteBuffer.wrap(content);
                while (rest.hasRemaining()) {
                    channel.write(rest);
                }
            }
            Files.move(beside, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            try {
                Files.deleteIfExists(beside);
            } catch (IOException left) {
                e.addSuppressed(left);
            }
            throw e;
        }
    }

    /** By reading, and not by the size that the status tells: the file may grow. */
    private static byte[] content(Path file, Fd fd, int most) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(most + 1);
        // The JDK has no channel over a descriptor that is open already.
        try (FileChannel channel =
                FileChannel.open(Path.of("/proc/self/fd", Integer.toString(fd.number())), StandardOpenOption.READ)) {
            while (bytes.hasRemaining() && channel.read(bytes) >= 0) {
                continue;
            }
        }
        if (!bytes.hasRemaining()) {
            throw new IOException(file + " is larger than " + most + " bytes");
        }
        byte[] content = new byte[bytes.position()];
        bytes.get(0, content);
        return content;
    }

    /** True if others than its owner may read or change it. */
    public boolean isOpenToOthers() {
        return (status.mode() & 0066) != 0;
    }
}
