package org.exomem.migration.precopy;

import java.time.Duration;
import java.util.Optional;

/**
 * The options of a migration.
 *
 * @param downtimeLimit the guest is paused when the last round is estimated to take no longer
 * @param maxRounds the guest is paused after this number of rounds in any case, at least 1
 * @param autoConverge whether the guest is throttled if it writes faster than its pages are sent
 * @param hintedPages what to do with hinted pages if the VMM does not log writes
 * @param patience the longest delay of a round to wait for the first hint; a small part of the round's expected duration
 *     limits it too (MIG-ROUND-6)
 * @param hintWorth how many times the time to send a page may be waited for a hint that excuses it, at least 1
 * @param switchOver when the guest leaves though pages are owed to it; empty without post-copy
 */
public record PrecopyOptions(
        Duration downtimeLimit,
        int maxRounds,
        boolean autoConverge,
        HintedPages hintedPages,
        Duration patience,
        int hintWorth,
        Optional<SwitchOver> switchOver) {
    /** A downtime of 300 ms, 30 rounds, no throttling, all data sent. */
    public static final PrecopyOptions DEFAULT = new PrecopyOptions(
            Duration.ofMillis(300), 30, false, HintedPages.SEND, Duration.ofMillis(500), 2, Optional.empty());

    public PrecopyOptions {
        if (downtimeLimit.isNegative() || patience.isNegative() || maxRounds < 1 || hintWorth < 1) {
            throw new IllegalArgumentException("a downtime limit of " + downtimeLimit + ", patience of " + patience
                    + ", " + maxRounds
                    + " rounds, and hints worth " + hintWorth
                    + ": none must be negative, and the last two must be at least 1");
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

    /** Returns these options with post-copy. */
    public PrecopyOptions withSwitchOver(SwitchOver when) {
        return new PrecopyOptions(
                downtimeLimit, maxRounds, autoConverge, hintedPages, patience, hintWorth, Optional.of(when));
    }
}
