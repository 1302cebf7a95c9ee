package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.file.Path;

/**
 * The result of {@code statx} for a file.
 *
 * @param device the device's number, major in the upper half
 * @param inode the inode's number; with {@code device} the identity of the file
 * @param owner the number of its user
 * @param mode type and permissions, as in {@code st_mode}
 * @param size in bytes
 * @param allocatedBytes bytes that the file occupies ({@code st_blocks} times 512)
 * @param changed the time of the last change of content, size, permissions or names ({@code st_ctim}), in nanoseconds since
 *     1970: no program can set it back
 */
public record FileStatus(long device, long inode, int owner, int mode, long size, long allocatedBytes, long changed) {
    private static final int AT_FDCWD = -100;
    private static final int AT_SYMLINK_NOFOLLOW = 0x100;
    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int STATX_BASIC_STATS = 0x7ff;
    private static final int STATX_SIZE = 256;
    private static final int OWNER_OFFSET = 20;
    private static final int MODE_OFFSET = 28;
    private static final int INODE_OFFSET = 32;
    private static final int SIZE_OFFSET = 40;
    private static final int BLOCKS_OFFSET = 48;
    private static final int CHANGED_OFFSET = 96;
    private static final int DEVICE_MAJOR_OFFSET = 136;
    private static final int DEVICE_MINOR_OFFSET = 140;
    private static final int TYPE_MASK = 0xf000;
    private static final int REGULAR = 0x8000;
    private static final int SOCKET = 0xc000;
    private static final int PIPE = 0x1000;

    /**
     * The present status of an open file.
     *
     * @throws LinuxException if the call fails
     */
    public static FileStatus of(Fd fd) throws LinuxException {
        return of(fd.number(), "", AT_EMPTY_PATH, fd.toString());
    }

    /**
     * The present status of the file at a path; of a symbolic link itself.
     *
     * @throws LinuxException ENOENT if it does not exist
     */
    public static FileStatus of(Path path) throws LinuxException {
        return of(AT_FDCWD, path.toString(), AT_SYMLINK_NOFOLLOW, path.toString());
    }

    private static FileStatus of(int directory, String path, int flags, String subject) throws LinuxException {
        MemorySegment buffer = NativeBuffer.ofSize(STATX_SIZE);
        MemorySegment name = NativeBuffer.ofUtf8(path);
        int result = LibC.statx(directory, name.address(), flags, STATX_BASIC_STATS, buffer.address());
        Reference.reachabilityFence(name);
        if (result < 0) {
            throw new LinuxException("statx", subject, LibC.errno());
        }
        long major = Integer.toUnsignedLong(buffer.get(JAVA_INT, DEVICE_MAJOR_OFFSET));
        long minor = Integer.toUnsignedLong(buffer.get(JAVA_INT, DEVICE_MINOR_OFFSET));
        return new FileStatus(
                (major << 32) | minor,
                buffer.get(JAVA_LONG, INODE_OFFSET),
                buffer.get(JAVA_INT, OWNER_OFFSET),
                Short.toUnsignedInt(buffer.get(JAVA_SHORT, MODE_OFFSET)),
                buffer.get(JAVA_LONG, SIZE_OFFSET),
                buffer.get(JAVA_LONG, BLOCKS_OFFSET) * 512,
                buffer.get(JAVA_LONG, CHANGED_OFFSET) * 1_000_000_000 + buffer.get(JAVA_INT, CHANGED_OFFSET + 8));
    }

    /** True if both belong to the same file: same device and inode, at times when the file was open or not removed. */
    public boolean isSameFileAs(FileStatus other) {
        return device == other.device && inode == other.inode;
    }

    /** True if the file was not written, truncated or extended in between, as far as its file system shows. */
    public boolean isUnchanged(FileStatus later) {
        return isSameFileAs(later) && size == later.size && changed == later.changed;
    }

    /** True for a regular file, including a memfd. */
    public boolean isRegularFile() {
        return (mode & TYPE_MASK) == REGULAR;
    }

    /** True for a pipe or a FIFO. */
    public boolean isPipe() {
        return (mode & TYPE_MASK) == PIPE;
    }

    /** True for a socket, or the path of one. */
    public boolean isSocket() {
        return (mode & TYPE_MASK) == SOCKET;
    }
}
