package org.exomem.migration.precopy;

import java.time.Duration;

/**
 * The progress of a migration.
 *
 * @param phase what it does
 * @param round counted from 1
 * @param sentBytes bytes of the pages that were sent so far
 * @param owedBytes bytes of the pages that this round has still to read
 * @param bytesPerSecond the recent rate of sending; 0 before it is known
 * @param left an estimate of the time until the end of this round
 * @param downtime an estimate of the pause if it began now; zero before it is known
 */
public record Progress(
        Phase phase, int round, long sentBytes, long owedBytes, long bytesPerSecond, Duration left, Duration downtime) {
    /** The phases of a migration. */
    public enum Phase {
        /** It reads all memory, to know later what has changed. */
        LOOKING,
        /** It sends pages while the guest runs. */
        COPYING,
        /** The guest is paused. */
        PAUSED,
        /** The guest runs at the destination, and pages are owed to it. */
        OWING
    }

    /** Receives the progress several times a second, on the engine's thread. */
    @FunctionalInterface
    public interface Listener {
        void progress(Progress progress);
    }
}
