package org.exomem.migration.precopy;

import java.time.Duration;

/**
 * When rounds end although pages are owed, and the guest begins at the destination without them (MIG-POST-1).
 *
 * @param rounds the most rounds before that; 0 for before any memory was sent
 * @param time the longest time before that; checked between two rounds
 */
public record SwitchOver(int rounds, Duration time) {
    /** One round, so that all pages that the guest does not write meanwhile are there. */
    public static final SwitchOver AFTER_ONE_ROUND = new SwitchOver(1, Duration.ofDays(1));

    public SwitchOver {
        if (rounds < 0 || time.isNegative()) {
            throw new IllegalArgumentException(rounds + " rounds or " + time + ": neither must be negative");
        }
    }
}
