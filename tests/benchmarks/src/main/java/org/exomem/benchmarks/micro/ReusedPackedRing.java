package org.exomem.benchmarks.micro;

import org.exomem.conformance.guest.GuestRam;

/** The device writes used descriptors over the available ones, so the driver writes each again when its turn comes. */
final class ReusedPackedRing extends ReusedRing {
    private static final int AVAILABLE = 1 << 7;
    private static final int USED = 1 << 15;
    private static final int EVENT_BYTES = 4;
    private static final int AT_DESCRIPTOR = 2;
    private static final int WRAP = 1 << 15;
    private static final int START = WRAP;

    private final long address;
    private final int length;
    private final int flags;
    private int slot;
    private boolean wrap = true;

    ReusedPackedRing(GuestRam ram, int size, long features, long address, int length, int flags) {
        super(ram, size, features, EVENT_BYTES, EVENT_BYTES);
        this.address = address;
        this.length = length;
        this.flags = flags;
        if (eventIndex) {
            driver.set(LE_SHORT, 2, (short) AT_DESCRIPTOR);
        }
    }

    @Override
    void makeAvailable() {
        if (eventIndex) {
            driver.set(LE_SHORT, 0, (short) (slot | (wrap ? WRAP : 0)));
        }
        long at = 16L * slot;
        descriptors.set(LE_LONG, at, address);
        descriptors.set(LE_INT, at + 8, length);
        descriptors.set(LE_SHORT, at + 12, (short) slot);
        SHORT.setRelease(descriptors, at + 14, (short) (flags | (wrap ? AVAILABLE : USED)));
        slot++;
        if (slot == size) {
            slot = 0;
            wrap = !wrap;
        }
    }

    @Override
    int base() {
        return START | START << 16;
    }
}
