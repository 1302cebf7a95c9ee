package org.exomem.migration.precopy;

import java.time.Duration;

/**
 * How far a migration is.
 *
 * @param phase what it does
 * @param round counted from 1
 * @param sentBytes of pages, so far
 * @param owedBytes of pages that this round has still to look at
 * @param bytesPerSecond at which pages travelled lately; 0 before that is known
 * @param left an estimate of the time until the end of this round
 * @param downtime an estimate of how long the guest would be paused if it were now; zero before anything is known
 */
public record Progress(
        Phase phase, int round, long sentBytes, long owedBytes, long bytesPerSecond, Duration left, Duration downtime) {
    /** What a migration does. */
    public enum Phase {
        /** It looks at all memory, so as to know later what has changed. */
        LOOKING,
        /** It copies while the guest runs. */
        COPYING,
        /** The guest is paused. */
        PAUSED,
        /** The guest runs at the destination, and pages are owed to it. */
        OWING
    }

    /** Is told of progress, a few times a second, on the engine's thread. */
    @FunctionalInterface
    public interface Listener {
        void progress(Progress progress);
    }
}
