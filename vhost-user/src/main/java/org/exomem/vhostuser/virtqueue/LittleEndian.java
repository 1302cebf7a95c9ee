package org.exomem.vhostuser.virtqueue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** The little-endian numbers that rings are made of, addressed by (segment, byte offset). */
final class LittleEndian {
    private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

    /** Aligned, so that ordered access works: a segment at an odd address is refused by the JVM. */
    static final VarHandle SHORT =
            ValueLayout.JAVA_SHORT.withOrder(ORDER).varHandle().withInvokeExactBehavior();

    static final VarHandle INT =
            ValueLayout.JAVA_INT.withOrder(ORDER).varHandle().withInvokeExactBehavior();

    static final VarHandle LONG =
            ValueLayout.JAVA_LONG.withOrder(ORDER).varHandle().withInvokeExactBehavior();

    /** For indirect tables, which a driver may put at any address. Plain access only. */
    static final ValueLayout.OfLong LONG_ANYWHERE = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ORDER);

    private static final VarHandle BYTE = ValueLayout.JAVA_BYTE.varHandle().withInvokeExactBehavior();

    private LittleEndian() {}

    /**
     * Stores two bytes at once, not before anything that was written earlier. A fence and a plain store, never a release store of one or two
     * bytes: while code is interpreted, the JVM makes that with an exchange, an instruction that it can't decode when the memory behind it
     * is gone (the other side has cut its file short), so that the process would end and not the access.
     */
    static void setShortRelease(MemorySegment area, long offset, short value) {
        VarHandle.releaseFence();
        SHORT.set(area, offset, value);
    }

    /** Likewise for one byte. */
    static void setByteRelease(MemorySegment area, long offset, byte value) {
        VarHandle.releaseFence();
        BYTE.set(area, offset, value);
    }
}
