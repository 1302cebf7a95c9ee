package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;

/**
 * What {@code statx} says of an open file.
 *
 * @param device the device's number, major in the upper half
 * @param inode the inode's number; with {@code device} the identity of the file
 * @param mode type and permissions, as {@code st_mode}
 * @param size bytes
 * @param allocatedBytes bytes that the file occupies ({@code st_blocks} times 512)
 */
public record FileStatus(long device, long inode, int mode, long size, long allocatedBytes) {
    private static final int AT_EMPTY_PATH = 0x1000;
    private static final int STATX_BASIC_STATS = 0x7ff;
    private static final int STATX_SIZE = 256;
    private static final int MODE_OFFSET = 28;
    private static final int INODE_OFFSET = 32;
    private static final int SIZE_OFFSET = 40;
    private static final int BLOCKS_OFFSET = 48;
    private static final int DEVICE_MAJOR_OFFSET = 136;
    private static final int DEVICE_MINOR_OFFSET = 140;
    private static final int TYPE_MASK = 0xf000;
    private static final int REGULAR = 0x8000;
    private static final int SOCKET = 0xc000;
    private static final int PIPE = 0x1000;

    public static FileStatus of(Fd fd) throws LinuxException {
        MemorySegment buffer = NativeBuffer.ofSize(STATX_SIZE);
        if (LibC.statx(fd.number(), "", AT_EMPTY_PATH, STATX_BASIC_STATS, buffer.address()) < 0) {
            throw new LinuxException("statx", fd.toString(), LibC.errno());
        }
        long major = Integer.toUnsignedLong(buffer.get(JAVA_INT, DEVICE_MAJOR_OFFSET));
        long minor = Integer.toUnsignedLong(buffer.get(JAVA_INT, DEVICE_MINOR_OFFSET));
        return new FileStatus(
                major << 32 | minor,
                buffer.get(JAVA_LONG, INODE_OFFSET),
                Short.toUnsignedInt(buffer.get(JAVA_SHORT, MODE_OFFSET)),
                buffer.get(JAVA_LONG, SIZE_OFFSET),
                buffer.get(JAVA_LONG, BLOCKS_OFFSET) * 512);
    }

    public boolean isRegularFile() {
        return (mode & TYPE_MASK) == REGULAR;
    }

    public boolean isPipe() {
        return (mode & TYPE_MASK) == PIPE;
    }

    public boolean isSocket() {
        return (mode & TYPE_MASK) == SOCKET;
    }
}
