package org.exomem.mem;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The config space (VIRTIO, "Memory Device", "Device configuration layout"). Little-endian; all of it read-only for the
 * driver; sizes and addresses in bytes.
 *
 * <pre>
 *  0 block_size           le64
 *  8 node_id              le16
 * 10 padding              6 bytes
 * 16 addr                 le64
 * 24 region_size          le64
 * 32 usable_region_size   le64
 * 40 plugged_size         le64
 * 48 requested_size       le64
 * </pre>
 */
final class MemConfig {
    static final int SIZE = 56;

    private static final ValueLayout.OfLong LE64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort LE16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int BLOCK_SIZE = 0;
    private static final int NODE_ID = 8;
    private static final int ADDR = 16;
    private static final int REGION_SIZE = 24;
    private static final int USABLE_REGION_SIZE = 32;
    private static final int PLUGGED_SIZE = 40;
    private static final int REQUESTED_SIZE = 48;

    private MemConfig() {}

    static void write(
            MemorySegment config, MemoryRegionPlan plan, long usableSize, long pluggedSize, long requestedSize) {
        config.fill((byte) 0);
        config.set(LE64, BLOCK_SIZE, plan.blockSize());
        config.set(LE16, NODE_ID, (short) plan.node().orElse(0));
        config.set(LE64, ADDR, plan.address());
        config.set(LE64, REGION_SIZE, plan.size());
        config.set(LE64, USABLE_REGION_SIZE, usableSize);
        config.set(LE64, PLUGGED_SIZE, pluggedSize);
        config.set(LE64, REQUESTED_SIZE, requestedSize);
    }
}
