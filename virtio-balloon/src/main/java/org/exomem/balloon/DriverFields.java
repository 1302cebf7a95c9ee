package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import org.exomem.pages.StoredNumber;

/**
 * The fields of the config space that the driver writes, and when its writes take effect.
 *
 * <p>A front-end may pass on poison_val before the features: drivers write it before DRIVER_OK, and SET_FEATURES may be sent
 * with DRIVER_OK only. So while no queue runs the value is kept whatever is negotiated; it is dropped when the first queue
 * starts without PAGE_POISON. A front-end may also write the whole config space for a single field, so the driver reads the
 * value that is kept.
 */
final class DriverFields {
    private final StoredNumber actual;
    private final StoredNumber poisonVal;
    private boolean actualAside;
    private boolean poisonNegotiated;
    private boolean featuresKnown;

    DriverFields(KeptBalloon kept) {
        actual = kept.actual;
        poisonVal = kept.poisonVal;
        actualAside = actual.isSet();
    }

    /** Config {@code actual}, in pages of 4096 bytes. */
    int actual() {
        return actualAside ? 0 : actual.get();
    }

    /** Config {@code poison_val} as the driver reads it. */
    int poisonVal() {
        return poisonNegotiated || !featuresKnown ? poisonVal.get() : 0;
    }

    /** True if the guest finds a value other than 0 in free pages. */
    boolean isPoisoned() {
        return poisonNegotiated && poisonVal.get() != 0;
    }

    /**
     * The driver wrote {@code data} at {@code offset}; {@code before} is the content of the config space until then. Writes
     * to other fields have no effect (BAL-CFG-4). Any value of {@code actual} is accepted (BAL-FEAT-3).
     */
    void write(BalloonConfig before, int offset, MemorySegment data, boolean anyQueueRuns) {
        BalloonConfig after = before.overwrittenBy(offset, data);
        if (BalloonConfig.touches(BalloonConfig.ACTUAL, offset, data.byteSize())) {
            actual.set(after.actual());
            actualAside = false;
        }
        if (BalloonConfig.touches(BalloonConfig.POISON_VAL, offset, data.byteSize())
                && (poisonNegotiated || !anyQueueRuns)) {
            poisonVal.set(after.poisonVal());
        }
    }

    void featuresAcknowledged(long features) {
        poisonNegotiated = (features & BalloonFeatures.PAGE_POISON) != 0;
        featuresKnown = true;
    }

    /** BAL-POI-1: from now on poison_val keeps its value. */
    void firstQueueStarts() {
        if (!poisonNegotiated) {
            poisonVal.set(0);
        }
    }

    /** The device was reset, or the front-end has left. The driver starts anew, or continues later. */
    void putAside() {
        actualAside = true;
        featuresKnown = false;
    }

    /**
     * The driver has started its inflate queue.
     *
     * @param same true if it is the driver that wrote the fields
     */
    void driverStarted(boolean same) {
        if (!same) {
            actual.set(0);
        }
        actualAside = false;
    }
}
