package org.exomem.vhostuser.protocol;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;

/**
 * The addresses of a ring's parts (vhost-user, "A vring address description"; VHU-PAY-3).
 *
 * <pre>
 *  0 index        u32
 *  4 flags        u32   bit 0: log writes of the used ring
 *  8 descriptor   u64
 * 16 used         u64
 * 24 available    u64
 * 32 log          u64   guest address under which the used ring's writes are logged
 * </pre>
 *
 * The three addresses are the front-end's own, or guest addresses if GPA_ADDRESSES was negotiated.
 */
public record RingAddresses(int index, int flags, long descriptor, long used, long available, long log) {
    static final int SIZE = 40;
    private static final int INDEX_OFFSET = 0;
    private static final int FLAGS_OFFSET = 4;
    private static final int DESCRIPTOR_OFFSET = 8;
    private static final int USED_OFFSET = 16;
    private static final int AVAILABLE_OFFSET = 24;
    private static final int LOG_OFFSET = 32;
    private static final int LOG_FLAG = 1;

    static RingAddresses decode(MemorySegment payload) {
        RingAddresses addresses = new RingAddresses(
                payload.get(JAVA_INT, INDEX_OFFSET),
                payload.get(JAVA_INT, FLAGS_OFFSET),
                payload.get(JAVA_LONG, DESCRIPTOR_OFFSET),
                payload.get(JAVA_LONG, USED_OFFSET),
                payload.get(JAVA_LONG, AVAILABLE_OFFSET),
                payload.get(JAVA_LONG, LOG_OFFSET));
        if ((addresses.flags & ~LOG_FLAG) != 0) {
            throw new FrontEndFault(
                    "SET_VRING_ADDR has unknown flags 0x" + Integer.toHexString(addresses.flags & ~LOG_FLAG));
        }
        return addresses;
    }

    /** True if writes to the used ring must be logged (VHU-LOG-4). */
    public boolean logsUsedRing() {
        return (flags & LOG_FLAG) != 0;
    }
}
