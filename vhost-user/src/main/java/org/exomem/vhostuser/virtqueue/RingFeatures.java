package org.exomem.vhostuser.virtqueue;

/** The feature bits that determine a ring (VIRTIO, "Reserved Feature Bits"), as masks. */
public final class RingFeatures {
    /** VIRTIO_F_INDIRECT_DESC: a descriptor may refer to a table of descriptors. */
    public static final long INDIRECT_DESC = 1L << 28;
    /** VIRTIO_F_EVENT_IDX: each side names the position at which it wants to be notified. */
    public static final long EVENT_IDX = 1L << 29;
    /** VIRTIO_F_VERSION_1: not the legacy interface; rings are little-endian. */
    public static final long VERSION_1 = 1L << 32;
    /** VIRTIO_F_RING_PACKED: the packed layout instead of the split one. */
    public static final long RING_PACKED = 1L << 34;
    /** VIRTIO_F_IN_ORDER: buffers are used in the order in which they were made available. */
    public static final long IN_ORDER = 1L << 35;

    /** All bits that the queues of this package implement. */
    public static final long ALL = INDIRECT_DESC | EVENT_IDX | VERSION_1 | RING_PACKED | IN_ORDER;

    private RingFeatures() {}
}
