package org.exomem.benchmarks.micro;

import org.exomem.conformance.guest.GuestRam;

/** All descriptors and all entries of the available ring are written in advance: only the index changes. */
final class ReusedSplitRing extends ReusedRing {
    private static final long IDX = 2;
    private static final long RING = 4;

    private final long usedEvent;
    private int index;

    ReusedSplitRing(GuestRam ram, int size, long features, long address, int length, int flags) {
        super(ram, size, features, RING + 2L * size + 2, RING + 8L * size + 2);
        usedEvent = RING + 2L * size;
        for (int i = 0; i < size; i++) {
            descriptors.set(LE_LONG, 16L * i, address);
            descriptors.set(LE_INT, 16L * i + 8, length);
            descriptors.set(LE_INT, 16L * i + 12, flags);
            driver.set(LE_SHORT, RING + 2L * i, (short) i);
        }
    }

    @Override
    void makeAvailable() {
        if (eventIndex) {
            driver.set(LE_SHORT, usedEvent, (short) index);
        }
        index++;
        SHORT.setRelease(driver, IDX, (short) index);
    }

    @Override
    int base() {
        return 0;
    }
}
