package org.exomem.vhostuser.protocol;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;

/**
 * A number for a ring (vhost-user, "A vring state description"; VHU-PAY-2).
 *
 * <pre>
 * 0 index   u32
 * 4 num     u32
 * </pre>
 */
public record RingState(int index, int num) {
    static final int SIZE = 8;
    private static final int INDEX_OFFSET = 0;
    private static final int NUM_OFFSET = 4;

    static RingState decode(MemorySegment payload) {
        return new RingState(payload.get(JAVA_INT, INDEX_OFFSET), payload.get(JAVA_INT, NUM_OFFSET));
    }

    MemorySegment encode() {
        MemorySegment payload = Reply.allocate(SIZE);
        payload.set(JAVA_INT, INDEX_OFFSET, index);
        payload.set(JAVA_INT, NUM_OFFSET, num);
        return payload;
    }
}
