package org.exomem.migration.precopy;

/**
 * Decides when to pause the guest. With a log of writes, the last round sends the pages that were written last, at the speed
 * of the rounds before. Without a log, each round has to read all memory, so the last one takes as long as the one before.
 */
final class Convergence {
    private static final long ENOUGH_BYTES = 16L << 20;
    private static final double SECOND = 1e9;
    private static final int FIRST_THROTTLE = 20;
    private static final int MORE_THROTTLE = 10;
    private static final int MAX_THROTTLE = 99;

    private final long limitNanos;
    private final int maxRounds;
    private final boolean blind;
    private final long assumedRate;
    private long rate;
    private int rounds;
    private long lastNanos;
    private long estimate;
    private int stuck;

    /** @param assumedRate the expected bytes per second before any were sent */
    Convergence(PrecopyOptions options, boolean blind, long assumedRate) {
        this.limitNanos = options.downtimeLimit().toNanos();
        this.maxRounds = options.maxRounds();
        this.blind = blind;
        this.assumedRate = assumedRate;
    }

    void roundEnded(long nanos, long bytes) {
        rounds++;
        lastNanos = nanos;
        // A small round is mostly overhead, and says little about speed.
        if (nanos > 0 && bytes > 0 && (bytes >= ENOUGH_BYTES || rate == 0)) {
            rate = Math.max(1, (long) (bytes / (nanos / SECOND)));
        }
    }

    /** Bytes per second; 0 if nothing was sent. */
    long rate() {
        return rate;
    }

    long nanos(long bytes) {
        return (long) (bytes * SECOND / (rate == 0 ? assumedRate : rate));
    }

    /** @param owedBytes what a round would have to send that begins now */
    void estimate(long owedBytes) {
        long before = estimate;
        estimate = Math.max(1, blind ? lastNanos : nanos(owedBytes));
        // An improvement of less than a third is no progress.
        stuck = before != 0 && estimate > before - before / 3 ? stuck + 1 : 0;
    }

    /** The expected duration of a pause in ns; 0 before the first round has ended. */
    long estimate() {
        return estimate;
    }

    boolean isInLimit() {
        // A first round, which sends everything, says nothing about the last one.
        return rounds > 0 && estimate <= limitNanos && !(blind && rounds < 2);
    }

    /** True if another round does not help: the last one would not be shorter. */
    boolean isStuck() {
        return stuck >= (blind ? 1 : 2);
    }

    boolean isOver() {
        return rounds >= maxRounds || isInLimit();
    }

    /** The guest writes less from now on, so there may be progress again. */
    void throttled() {
        stuck = 0;
    }

    /** The next step of throttling, as in QEMU; the same percentage if there is none. */
    static int nextThrottle(int percent) {
        return percent == 0 ? FIRST_THROTTLE : Math.min(MAX_THROTTLE, percent + MORE_THROTTLE);
    }
}
