package org.exomem.migration.stream.wire;

import java.io.InterruptedIOException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * How fast a migration may send, over all its connections together. May be changed at any time, from any thread; a
 * thread that waits notices within a tenth of a second.
 */
public final class BandwidthLimit {
    /** No limit. */
    public static final long NONE = 0;

    private static final long LONGEST_NAP = TimeUnit.MILLISECONDS.toNanos(100);
    /** How much may be sent at once after a pause: what goes out in this time. */
    private static final double BURST_SECONDS = 0.02;

    private volatile long bytesPerSecond;
    private double allowance;
    private long asOf = System.nanoTime();

    /**
     * @param bytesPerSecond bytes in a second, or {@link #NONE}
     */
    public BandwidthLimit(long bytesPerSecond) {
        set(bytesPerSecond);
    }

    /** Changes it. */
    public void set(long bytesPerSecond) {
        if (bytesPerSecond < 0) {
            throw new IllegalArgumentException("not a bandwidth: " + bytesPerSecond + " bytes/s");
        }
        this.bytesPerSecond = bytesPerSecond;
    }

    /** Waits until so many more bytes may be sent. */
    public void take(long bytes) throws InterruptedIOException {
        if (bytesPerSecond == NONE) {
            return;
        }
        long wait = debt(bytes);
        while (wait > 0) {
            LockSupport.parkNanos(Math.min(wait, LONGEST_NAP));
            if (Thread.currentThread().isInterrupted()) {
                throw new InterruptedIOException("interrupted while the bandwidth limit holds the migration back");
            }
            wait = debt(0);
        }
    }

    /** Takes bytes from what is allowed; the nanoseconds until that is paid for. */
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
