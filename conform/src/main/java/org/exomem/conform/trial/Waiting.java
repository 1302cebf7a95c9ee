package org.exomem.conform.trial;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * Polls for changes without a notification: guest memory that changes, a process that begins to listen. Always with a
 * limit.
 */
public final class Waiting {
    private static final long MOMENT_NANOS = 1_000_000;

    private Waiting() {}

    /** Polls until the condition holds, and returns true; false if it does not within the limit. */
    public static boolean until(BooleanSupplier condition, Duration limit) {
        long end = System.nanoTime() + limit.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > end) {
                return false;
            }
            aMoment();
        }
        return true;
    }

    /** Pauses between two polls, for a millisecond or less. */
    public static void aMoment() {
        LockSupport.parkNanos(MOMENT_NANOS);
    }
}
