package org.exomem.migration.stream.wire;

import java.io.InterruptedIOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Limits the rate of a migration, for all its connections together. Safe for use by several threads. A change takes effect
 * within a tenth of a second on threads that wait.
 */
public final class BandwidthLimit {
    /** No limit. */
    public static final long NONE = 0;

    private static final long LONGEST_NAP = TimeUnit.MILLISECONDS.toNanos(100);
    /** The largest burst after a pause, as the time for sending it at the limit. */
    private static final double BURST_SECONDS = 0.02;

    private volatile long bytesPerSecond;
    private double allowance;
    private long asOf = System.nanoTime();

    /** @param bytesPerSecond bytes per second, or {@link #NONE} */
    public BandwidthLimit(long bytesPerSecond) {
        set(bytesPerSecond);
    }

    /**
     * Changes the limit.
     *
     * @throws IllegalArgumentException if it is negative
     */
    public void set(long bytesPerSecond) {
        if (bytesPerSecond < 0) {
            throw new IllegalArgumentException("not a valid bandwidth: " + bytesPerSecond + " bytes/s");
        }
        this.bytesPerSecond = bytesPerSecond;
    }

    /**
     * Waits until this number of bytes may be sent.
     *
     * @throws InterruptedIOException if the thread is interrupted
     */
    public void take(long bytes) throws InterruptedIOException {
        if (bytesPerSecond == NONE) {
            return;
        }
        long wait = debt(bytes);
        while (wait > 0) {
            LockSupport.parkNanos(Math.min(wait, LONGEST_NAP));
            if (Thread.currentThread().isInterrupted()) {
                throw new InterruptedIOException("interrupted while the bandwidth limit delays the migration");
            }
            wait = debt(0);
        }
    }

    /** Subtracts bytes from the allowance. Returns the nanoseconds until it is not negative any more. */
    private synchronized long debt(long bytes) {
        long rate = bytesPerSecond;
        if (rate == NONE) {
            allowance = 0;
            return 0;
        }
        long now = System.nanoTime();
        allowance = Math.min(allowance + (now - asOf) / 1e9 * rate, rate * BURST_SECONDS) - bytes;
        asOf = now;
        return allowance >= 0 ? 0 : (long) Math.ceil(-allowance / rate * 1e9);
    }
}
