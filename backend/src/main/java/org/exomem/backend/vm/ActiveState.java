package org.exomem.backend.vm;

import java.time.Duration;

/** What is known of how much memory a guest writes (VMM-ACTIVE). */
public sealed interface ActiveState {
    /** Seconds between two scans. */
    int interval();

    /**
     * There is an estimate. Sizes in bytes.
     *
     * @param watched memory that is watched
     * @param written in the last interval
     * @param estimate the most that was written in one of the last intervals
     * @param scan how long the last scan took
     * @param stopped how long the VMM's main thread stood still when it was attached to
     */
    record Known(int interval, long watched, long written, long estimate, Duration scan, Duration stopped)
            implements ActiveState {}

    /**
     * There is none.
     *
     * @param reason why not, for people
     */
    record Unknown(int interval, String reason) implements ActiveState {}
}
