package org.exomem.benchmarks;

import org.exomem.conformance.frontend.Features;

/** The two ring formats of VIRTIO. */
enum RingFormat {
    SPLIT(0),
    PACKED(Features.RING_PACKED);

    private final long feature;

    RingFormat(long feature) {
        this.feature = feature;
    }

    /** The features of a driver that needs only such a ring. */
    long features() {
        return Features.VERSION_1 | feature;
    }

    @Override
    public String toString() {
        return this == SPLIT ? "split" : "packed";
    }
}
