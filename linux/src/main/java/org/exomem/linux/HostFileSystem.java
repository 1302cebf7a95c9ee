package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.file.Path;

/**
 * The result of {@code statfs} for a mounted file system.
 *
 * @param magic the number of its type, as in {@code statfs(2)}
 * @param blockSize in bytes; on hugetlbfs the size of its pages
 * @param availableBytes that a user who is not root can still store there
 */
public record HostFileSystem(long magic, long blockSize, long availableBytes) {
    private static final int O_NONBLOCK = 0x800;
    private static final int O_CLOEXEC = 0x80000;
    private static final int STATFS_SIZE = 120;
    private static final int BLOCK_SIZE_OFFSET = 8;
    private static final int AVAILABLE_OFFSET = 32;

    /**
     * The file system of a file or folder; follows symbolic links.
     *
     * @throws LinuxException ENOENT if it does not exist
     */
    public static HostFileSystem of(Path path) throws LinuxException {
        MemorySegment name = NativeBuffer.ofUtf8(path.toString());
        int result = LibC.open(name.address(), O_NONBLOCK | O_CLOEXEC, 0);
        Reference.reachabilityFence(name);
        try (Fd fd = Fd.of(result, "open", path.toString())) {
            return of(fd);
        }
    }

    /**
     * The file system of an open file.
     *
     * @throws LinuxException if the call fails
     */
    public static HostFileSystem of(Fd fd) throws LinuxException {
        MemorySegment buffer = NativeBuffer.ofSize(STATFS_SIZE);
        if (LibC.fstatfs(fd.number(), buffer.address()) < 0) {
            throw new LinuxException("fstatfs", fd.toString(), LibC.errno());
        }
        long blockSize = buffer.get(JAVA_LONG, BLOCK_SIZE_OFFSET);
        return new HostFileSystem(
                buffer.get(JAVA_LONG, 0) & 0xffffffffL, blockSize, buffer.get(JAVA_LONG, AVAILABLE_OFFSET) * blockSize);
    }
}
