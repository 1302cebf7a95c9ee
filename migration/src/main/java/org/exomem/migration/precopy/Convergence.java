package org.exomem.migration.precopy;

/**
 * Decides when to pause. Where writes are logged, the last round sends what was written lately, at the speed of the rounds
 * before. Where they are not, the last round has to read all memory as each does, so it takes as long as the one before.
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

    /** @param assumedRate bytes per second that are expected to travel before any have */
    Convergence(PrecopyOptions options, boolean blind, long assumedRate) {
        this.limitNanos = options.downtimeLimit().toNanos();
        this.maxRounds = options.maxRounds();
        this.blind = blind;
        this.assumedRate = assumedRate;
    }

    void roundEnded(long nanos, long bytes) {
        rounds++;
        lastNanos = nanos;
        // A small round is all overhead, and says little of speed.
        if (nanos > 0 && bytes > 0 && (bytes >= ENOUGH_BYTES || rate == 0)) {
            rate = Math.max(1, (long) (bytes / (nanos / SECOND)));
        }
    }

    /** Bytes per second, 0 if nothing has travelled. */
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
        // Less than a third off is no progress.
        stuck = before != 0 && estimate > before - before / 3 ? stuck + 1 : 0;
    }

    /** How long a pause is expected to take, ns; 0 before the first round has ended. */
    long estimate() {
        return estimate;
    }

    boolean isInLimit() {
        // A first round that sends everything says nothing of the last one.
        return rounds > 0 && estimate <= limitNanos && !(blind && rounds < 2);
    }

    /** True if another round is of no use: the last one will not be shorter. */
    boolean isStuck() {
        return stuck >= (blind ? 1 : 2);
    }

    boolean isOver() {
        return rounds >= maxRounds || isInLimit();
    }

    /** The guest writes less from now on: there may be progress again. */
    void throttled() {
        stuck = 0;
    }

    /** The next step of slowing the guest down, as QEMU takes them; the same if there is none. */
    static int nextThrottle(int percent) {
        return percent == 0 ? FIRST_THROTTLE : Math.min(MAX_THROTTLE, percent + MORE_THROTTLE);
    }
}
