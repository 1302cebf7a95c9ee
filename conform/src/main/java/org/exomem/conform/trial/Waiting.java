package org.exomem.conform.trial;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Waits for what nobody tells of: guest memory that changes, a process that begins to listen. Always with a limit. */
public final class Waiting {
    private static final long MOMENT_NANOS = 1_000_000;

    private Waiting() {}

    /** Looks again and again; true as soon as the condition holds, false if it does not within the limit. */
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

    /** Lets others run between two looks: a millisecond, or less. */
    public static void aMoment() {
        LockSupport.parkNanos(MOMENT_NANOS);
    }
}
