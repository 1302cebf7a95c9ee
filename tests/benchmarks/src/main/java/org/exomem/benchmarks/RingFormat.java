package org.exomem.benchmarks;

import org.exomem.conformance.frontend.Features;

/** The two kinds of ring that VIRTIO has. */
enum RingFormat {
    SPLIT(0),
    PACKED(Features.RING_PACKED);

    private final long feature;

    RingFormat(long feature) {
        this.feature = feature;
    }

    /** What a driver acknowledges that wants nothing but such a ring. */
    long features() {
        return Features.VERSION_1 | feature;
    }

    @Override
    public String toString() {
        return this == SPLIT ? "split" : "packed";
    }
}
