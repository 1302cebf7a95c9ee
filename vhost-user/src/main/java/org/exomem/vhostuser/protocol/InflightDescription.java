package org.exomem.vhostuser.protocol;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;

/**
 * The memory in which a back-end tracks chains in flight (vhost-user, "Inflight description"; VHU-PAY-8); bytes.
 *
 * <pre>
 *  0 mmap size     u64
 *  8 mmap offset   u64
 * 16 num queues    u16
 * 18 queue size    u16
 * </pre>
 *
 * <p>Some front-ends send their whole C struct, with 4 bytes of padding at the end: both sizes are accepted, and answered
 * with the same size.
 */
public record InflightDescription(long mmapSize, long mmapOffset, int numQueues, int queueSize, int wireSize) {
    private static final int SIZE = 20;
    private static final int PADDED_SIZE = 24;
    private static final int MMAP_SIZE_OFFSET = 0;
    private static final int MMAP_OFFSET_OFFSET = 8;
    private static final int NUM_QUEUES_OFFSET = 16;
    private static final int QUEUE_SIZE_OFFSET = 18;

    static InflightDescription decode(RequestType type, MemorySegment payload) {
        int wireSize = (int) payload.byteSize();
        if (wireSize != SIZE && wireSize != PADDED_SIZE) {
            throw new FrontEndFault(type + " has " + wireSize + " bytes of payload instead of " + SIZE + " or "
                    + PADDED_SIZE + " (with padding)");
        }
        return new InflightDescription(
                payload.get(JAVA_LONG, MMAP_SIZE_OFFSET),
                payload.get(JAVA_LONG, MMAP_OFFSET_OFFSET),
                Short.toUnsignedInt(payload.get(JAVA_SHORT, NUM_QUEUES_OFFSET)),
                Short.toUnsignedInt(payload.get(JAVA_SHORT, QUEUE_SIZE_OFFSET)),
                wireSize);
    }

    /** Returns this description with the size of the memory that was made for it. */
    public InflightDescription withMmapSize(long size) {
        return new InflightDescription(size, 0, numQueues, queueSize, wireSize);
    }

    MemorySegment encode() {
        MemorySegment payload = Reply.allocate(wireSize);
        payload.set(JAVA_LONG, MMAP_SIZE_OFFSET, mmapSize);
        payload.set(JAVA_LONG, MMAP_OFFSET_OFFSET, mmapOffset);
        payload.set(JAVA_SHORT, NUM_QUEUES_OFFSET, (short) numQueues);
        payload.set(JAVA_SHORT, QUEUE_SIZE_OFFSET, (short) queueSize);
        return payload;
    }
}
