package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The config space (VIRTIO, "Traditional Memory Balloon Device", "Device configuration layout"). Little-endian, also for a
 * legacy driver (BAL-CFG-1):
 *
 * <pre>
 *  0         4         8                       12           16
 *  +---------+---------+-----------------------+------------+
 *  | num     | actual  | free_page_hint_cmd_id | poison_val |
 *  | _pages  |         |                       |            |
 *  +---------+---------+-----------------------+------------+
 * </pre>
 *
 * @param numPages pages of 4096 bytes that the device wants in the balloon; read-only for the driver
 * @param actual pages of 4096 bytes that the driver says are in the balloon
 * @param freePageHintCmdId the command id of free page hinting; read-only for the driver
 * @param poisonVal the value with which the driver fills free pages
 */
record BalloonConfig(int numPages, int actual, int freePageHintCmdId, int poisonVal) {
    static final int NUM_PAGES = 0;
    static final int ACTUAL = NUM_PAGES + 4;
    static final int FREE_PAGE_HINT_CMD_ID = ACTUAL + 4;
    static final int POISON_VAL = FREE_PAGE_HINT_CMD_ID + 4;
    /** The size of the config space in bytes. */
    static final int SIZE = POISON_VAL + 4;

    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    static BalloonConfig readFrom(MemorySegment config) {
        return new BalloonConfig(
                config.get(LE_INT, NUM_PAGES),
                config.get(LE_INT, ACTUAL),
                config.get(LE_INT, FREE_PAGE_HINT_CMD_ID),
                config.get(LE_INT, POISON_VAL));
    }

    void writeTo(MemorySegment config) {
        config.set(LE_INT, NUM_PAGES, numPages);
        config.set(LE_INT, ACTUAL, actual);
        config.set(LE_INT, FREE_PAGE_HINT_CMD_ID, freePageHintCmdId);
        config.set(LE_INT, POISON_VAL, poisonVal);
    }

    /**
     * The config space after a write of {@code data} at {@code offset}, which are within it. A driver may write any part of
     * a field: legacy drivers write byte by byte.
     */
    BalloonConfig overwrittenBy(int offset, MemorySegment data) {
        MemorySegment whole = MemorySegment.ofArray(new byte[SIZE]);
        writeTo(whole);
        MemorySegment.copy(data, 0, whole, offset, data.byteSize());
        return readFrom(whole);
    }

    /** True if a write of {@code length} bytes at {@code offset} touches the 4-byte field at {@code field}. */
    static boolean touches(int field, int offset, long length) {
        return offset < field + 4 && offset + length > field;
    }
}
