package org.exomem.backend.vm;

import java.time.Duration;

/** The estimate of how much memory a guest writes (VMM-ACTIVE). */
public sealed interface ActiveState {
    /** The interval between two scans, in seconds. */
    int interval();

    /**
     * There is an estimate. Sizes in bytes.
     *
     * @param watched memory that is watched
     * @param written memory that was written in the last interval
     * @param estimate the largest amount that was written in one of the last intervals
     * @param scan duration of the last scan
     * @param stopped how long the VMM's main thread was stopped in order to attach
     */
    record Known(int interval, long watched, long written, long estimate, Duration scan, Duration stopped)
            implements ActiveState {}

    /**
     * There is no estimate.
     *
     * @param reason why not, for people
     */
    record Unknown(int interval, String reason) implements ActiveState {}
}
