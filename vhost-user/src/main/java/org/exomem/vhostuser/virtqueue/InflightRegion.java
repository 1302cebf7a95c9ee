package org.exomem.vhostuser.virtqueue;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;

/**
 * One queue's region of the in-flight buffer (vhost-user, "Inflight I/O tracking"): the common part of both formats. The
 * buffer outlives the back-end, so that the next one can resubmit the chains that this one had popped and not pushed.
 *
 * <pre>
 *   0  features u64    0
 *   8  version u16     0: not initialised, 1
 *  10  desc_num u16    entries, at least the queue's size
 *  12  ...             by format, see SplitInflight and PackedInflight
 * </pre>
 *
 * <p>The region comes back from the front-end, so its content is untrusted: all of it is checked when a queue starts, and
 * afterwards it is only written. A new buffer for GET_INFLIGHT_FD is zeros; the first queue that starts with it initialises
 * it.
 */
public final class InflightRegion {
    static final int VERSION = 1;
    static final long VERSION_OFFSET = 8;
    static final long DESC_NUM_OFFSET = 10;

    /** Regions are consecutive in the buffer; each starts on a cache line of its own. */
    private static final long ALIGNMENT = 64;

    private static final long FEATURES_OFFSET = 0;

    private InflightRegion() {}

    /** The bytes that a queue needs, rounded up so that the next queue's region can follow: a multiple of 64. */
    public static long bytes(int size, long features) {
        return (used(size, RingLayout.isPacked(features)) + ALIGNMENT - 1) & -ALIGNMENT;
    }

    private static long used(int entries, boolean packed) {
        return packed
                ? PackedInflight.DESC_OFFSET + PackedInflight.DESC_BYTES * entries
                : SplitInflight.DESC_OFFSET + SplitInflight.DESC_BYTES * entries;
    }

    /**
     * Checks the region as far as possible before the queue starts.
     *
     * @param size the queue's size in descriptors
     * @throws IllegalArgumentException if the region is too short, misaligned, or its head is of another kind
     */
    public static void check(MemorySegment region, int size, long features) {
        entries(region, size, RingLayout.isPacked(features));
    }

    /** Reads the head; returns the number of entries, or 0 if the region is not initialised. */
    static int entries(MemorySegment region, int size, boolean packed) {
        if ((region.address() & 7) != 0) {
            throw new IllegalArgumentException("the in-flight region is mapped at 0x"
                    + Long.toHexString(region.address()) + ", which is not a multiple of 8");
        }
        if (region.byteSize() < used(size, packed)) {
            throw new IllegalArgumentException("the in-flight region has " + region.byteSize()
                    + " bytes, but a queue of " + size + " descriptors needs " + used(size, packed));
        }
        // Acquire: pairs with the release of markInitialised, if its writer is still alive.
        int version = (short) LittleEndian.SHORT.getAcquire(region, VERSION_OFFSET) & 0xffff;
        if (version == 0) {
            return 0;
        }
        if (version != VERSION) {
            throw new IllegalArgumentException(
                    "the in-flight region has version " + version + ", the supported version is " + VERSION);
        }
        long features = (long) LittleEndian.LONG.get(region, FEATURES_OFFSET);
        if (features != 0) {
            throw new IllegalArgumentException("the in-flight region has features 0x" + Long.toHexString(features)
                    + ", but no feature is supported");
        }
        int entries = (short) LittleEndian.SHORT.get(region, DESC_NUM_OFFSET) & 0xffff;
        if (entries < size || entries > RingLayout.MAX_SIZE || region.byteSize() < used(entries, packed)) {
            throw new IllegalArgumentException(
                    "the in-flight region says it has " + entries + " entries; the queue has " + size
                            + " descriptors and the region " + region.byteSize() + " bytes");
        }
        return entries;
    }

    /** Clears the region, except its version, which {@link #markInitialised} sets when the rest is written. */
    static void clear(MemorySegment region, int size) {
        LittleEndian.setShortRelease(region, VERSION_OFFSET, (short) 0);
        region.fill((byte) 0);
        LittleEndian.SHORT.set(region, DESC_NUM_OFFSET, (short) size);
    }

    static void markInitialised(MemorySegment region) {
        // Release: a back-end that is killed before this leaves version 0, and the next one initialises the region
        // again.
        LittleEndian.setShortRelease(region, VERSION_OFFSET, (short) VERSION);
    }

    /** An entry's {@code inflight} byte, which is 0 or 1. */
    static boolean isInflight(MemorySegment region, long offset, int entry) {
        byte value = region.get(JAVA_BYTE, offset);
        if (value != 0 && value != 1) {
            throw new IllegalArgumentException(
                    "in-flight entry " + entry + " is marked " + value + ", neither free (0) nor in flight (1)");
        }
        return value == 1;
    }
}
