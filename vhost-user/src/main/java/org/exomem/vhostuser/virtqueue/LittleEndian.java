package org.exomem.vhostuser.virtqueue;

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

    private LittleEndian() {}
}
