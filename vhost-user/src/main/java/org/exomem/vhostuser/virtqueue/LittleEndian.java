package org.exomem.vhostuser.virtqueue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/** Access to the little-endian numbers of rings, by segment and byte offset. */
final class LittleEndian {
    private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;

    /** Aligned, so that ordered access works: the JVM refuses a segment at an odd address. */
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
     * Stores two bytes at once, not before any earlier write. A fence and a plain store, never a release store of one or two
     * bytes: interpreted code does that with an exchange, an instruction that the JVM can't decode when the memory behind it
     * is gone (the other side has truncated its file), so that the process would end, not just the access.
     */
    static void setShortRelease(MemorySegment area, long offset, short value) {
        VarHandle.releaseFence();
        SHORT.set(area, offset, value);
    }

    /** As {@link #setShortRelease}, for one byte. */
    static void setByteRelease(MemorySegment area, long offset, byte value) {
        VarHandle.releaseFence();
        BYTE.set(area, offset, value);
    }

    /** As {@link #setShortRelease}, for eight bytes at an address that is a multiple of eight. */
    static void setLongRelease(MemorySegment area, long offset, long value) {
        VarHandle.releaseFence();
        LONG.set(area, offset, value);
    }
}
