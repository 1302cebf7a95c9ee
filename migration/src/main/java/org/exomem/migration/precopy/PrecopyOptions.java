package org.exomem.migration.precopy;

import java.time.Duration;
import java.util.Optional;

/**
 * How a migration is to go.
 *
 * @param downtimeLimit the guest is paused when the last round is estimated to take no longer
 * @param maxRounds the guest is paused after so many rounds whatever the estimate, at least 1
 * @param autoConverge slow the guest down if it writes faster than its pages travel
 * @param hintedPages what to do with hinted pages where the VMM does not log writes
 * @param patience the longest that a round begins later because the first hint may come; a small part of the time that the round is going
 *     to take is enough, too (MIG-ROUND-6)
 * @param hintWorth so many times as long as it takes to send a page may be waited for the hint that it need not be sent, at least 1
 * @param switchOver when the guest leaves though pages are owed to it, if it may
 */
public record PrecopyOptions(
        Duration downtimeLimit,
        int maxRounds,
        boolean autoConverge,
        HintedPages hintedPages,
        Duration patience,
        int hintWorth,
        Optional<SwitchOver> switchOver) {
    /** A downtime of 300 ms, 30 rounds, no slowing down, all data sent. */
    public static final PrecopyOptions DEFAULT = new PrecopyOptions(
            Duration.ofMillis(300), 30, false, HintedPages.SEND, Duration.ofMillis(500), 2, Optional.empty());

    public PrecopyOptions {
        if (downtimeLimit.isNegative() || patience.isNegative() || maxRounds < 1 || hintWorth < 1) {
            throw new IllegalArgumentException("a downtime limit of " + downtimeLimit + ", patience of " + patience
                    + ", " + maxRounds
                    + " rounds, and hints worth " + hintWorth
                    + ": none may be negative, and the last two must be at least 1");
        }
    }

    public PrecopyOptions withDowntimeLimit(Duration limit) {
        return new PrecopyOptions(limit, maxRounds, autoConverge, hintedPages, patience, hintWorth, switchOver);
    }

    public PrecopyOptions withMaxRounds(int rounds) {
        return new PrecopyOptions(downtimeLimit, rounds, autoConverge, hintedPages, patience, hintWorth, switchOver);
    }

    public PrecopyOptions withAutoConverge(boolean wanted) {
        return new PrecopyOptions(downtimeLimit, maxRounds, wanted, hintedPages, patience, hintWorth, switchOver);
    }

    public PrecopyOptions withHintedPages(HintedPages wanted) {
        return new PrecopyOptions(downtimeLimit, maxRounds, autoConverge, wanted, patience, hintWorth, switchOver);
    }

    public PrecopyOptions withPatience(Duration limit) {
        return new PrecopyOptions(downtimeLimit, maxRounds, autoConverge, hintedPages, limit, hintWorth, switchOver);
    }

    public PrecopyOptions withHintWorth(int times) {
        return new PrecopyOptions(downtimeLimit, maxRounds, autoConverge, hintedPages, patience, times, switchOver);
    }

    /** The guest leaves then at the latest, and pages are owed to it. */
    public PrecopyOptions withSwitchOver(SwitchOver when) {
        return new PrecopyOptions(
                downtimeLimit, maxRounds, autoConverge, hintedPages, patience, hintWorth, Optional.of(when));
    }
}
