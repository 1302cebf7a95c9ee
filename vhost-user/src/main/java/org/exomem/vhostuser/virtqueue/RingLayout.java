package org.exomem.vhostuser.virtqueue;

/**
 * The sizes and alignments of the three parts of a ring, in bytes (VIRTIO, "Virtqueues" of the split ring, table; "Structure
 * Size and Alignment" of the packed ring; VQ-SPL-1, VQ-PCK-1).
 *
 * <pre>
 *                        split                     packed
 * descriptors area   16 * size, align 16       16 * size, align 16     descriptor table / descriptor ring
 * driver area         6 + 2 * size, align 2     4, align 4             available ring / driver event suppression
 * device area         6 + 8 * size, align 4     4, align 4             used ring / device event suppression
 * </pre>
 */
public final class RingLayout {
    /** The most descriptors a ring of either kind can have. */
    public static final int MAX_SIZE = 32768;

    static final int DESCRIPTOR_BYTES = 16;
    private static final int EVENT_SUPPRESSION_BYTES = 4;

    private RingLayout() {}

    /** True if the features mean packed. */
    public static boolean isPacked(long features) {
        return (features & RingFeatures.RING_PACKED) != 0;
    }

    /** True if a ring can have this many descriptors: 1 to 32768, and for a split ring a power of two. */
    public static boolean isValidSize(int size, long features) {
        return size >= 1 && size <= MAX_SIZE && (isPacked(features) || Integer.bitCount(size) == 1);
    }

    /** The bytes of the descriptor table or ring. */
    public static long descriptorBytes(int size) {
        return (long) DESCRIPTOR_BYTES * size;
    }

    /** The alignment of the descriptors. */
    public static int descriptorAlignment() {
        return 16;
    }

    /** The available ring, with {@code used_event} whether negotiated or not, or the driver event suppression. */
    public static long driverBytes(int size, long features) {
        return isPacked(features) ? EVENT_SUPPRESSION_BYTES : 6 + 2L * size;
    }

    /** The alignment of the driver area. */
    public static int driverAlignment(long features) {
        return isPacked(features) ? 4 : 2;
    }

    /** The used ring, with {@code avail_event} whether negotiated or not, or the device event suppression. */
    public static long deviceBytes(int size, long features) {
        return isPacked(features) ? EVENT_SUPPRESSION_BYTES : 6 + 8L * size;
    }

    /** The alignment of the device area. */
    public static int deviceAlignment(long features) {
        return 4;
    }

    static void check(int size, long features, RingArea descriptors, RingArea driver, RingArea device) {
        check("descriptor area", descriptors, descriptorBytes(size), descriptorAlignment());
        check("driver area", driver, driverBytes(size, features), driverAlignment(features));
        check("device area", device, deviceBytes(size, features), deviceAlignment(features));
    }

    private static void check(String name, RingArea area, long bytes, int alignment) {
        if (area.bytes().byteSize() < bytes) {
            throw new IllegalArgumentException("the " + name + " at 0x" + Long.toHexString(area.guestAddress())
                    + " has " + area.bytes().byteSize() + " bytes, but a ring of this size needs " + bytes);
        }
        // Both addresses: a region may be mapped with another offset in a page than that of its guest address.
        if (((area.guestAddress() | area.bytes().address()) & (alignment - 1)) != 0) {
            throw new IllegalArgumentException("the " + name + " at 0x" + Long.toHexString(area.guestAddress())
                    + " (mapped at 0x" + Long.toHexString(area.bytes().address()) + ") is not aligned to " + alignment
                    + " bytes");
        }
    }
}
