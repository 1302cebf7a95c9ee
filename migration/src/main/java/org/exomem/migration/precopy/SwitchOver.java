package org.exomem.migration.precopy;

import java.time.Duration;

/**
 * When rounds end with pages owed, and the guest begins at the destination without them (MIG-POST-1).
 *
 * @param rounds after so many at the latest; 0: before any memory was sent
 * @param time after so long at the latest, looked at between two rounds
 */
public record SwitchOver(int rounds, Duration time) {
    /** One round, so that all that the guest does not write meanwhile is there. */
    public static final SwitchOver AFTER_ONE_ROUND = new SwitchOver(1, Duration.ofDays(1));

    public SwitchOver {
        if (rounds < 0 || time.isNegative()) {
            throw new IllegalArgumentException(rounds + " rounds or " + time + ": neither may be negative");
        }
    }
}
