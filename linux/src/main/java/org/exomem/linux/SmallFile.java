package org.exomem.linux;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The content of a small file that a user has named: of a regular one only, so that nobody waits for the writer of a FIFO or
 * reads a device without end, and only up to a limit.
 *
 * @param status what was found when it was read
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record SmallFile(FileStatus status, byte[] content) {
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
