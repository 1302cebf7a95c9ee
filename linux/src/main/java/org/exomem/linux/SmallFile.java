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
 * The content of a small file that a user has named. Only regular files up to a limit are read, so that this never waits for
 * the writer of a FIFO or reads a device without end.
 *
 * @param status as it was found when it was read
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record SmallFile(FileStatus status, byte[] content) {
    private static final FileAttribute<?> OWNER_ONLY =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
    private static final int O_NONBLOCK = 0x800;
    private static final int O_CLOEXEC = 0x80000;

    /**
     * Reads a file; follows symbolic links. A file system that hangs can still block it: not for threads that others wait
     * for.
     *
     * @param most the largest size in bytes
     * @throws LinuxException if it can't be opened, ENOENT if it does not exist
     * @throws IOException if it is no regular file, or larger, or can't be read
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
     * Makes a file that only its owner can read and change, in place of an existing one. It is there completely, or not at
     * all. It is not forced to disk.
     *
     * @throws IOException if that fails; the old file remains
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

    /** Reads to the end, whatever size the status has, because the file may grow. */
    private static byte[] content(Path file, Fd fd, int most) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(most + 1);
        // The JDK can't make a channel from an open descriptor.
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
