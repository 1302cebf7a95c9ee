package org.exomem.migration.stream.wire;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/**
 * Detects that the other end has gone without an error: a cut cable, a stopped process. Both ends send ALIVE regularly. An
 * end that has received nothing for too long gives up the connection (STR-ERR-3).
 */
public final class LivenessWatch implements AutoCloseable {
    /** How many times within the limit each end sends. */
    private static final int BEATS = 4;

    /** Sends the sign of life. */
    public interface Beat {
        void speak() throws IOException;
    }

    private final long limitNanos;
    private final long pauseNanos;
    private final ScheduledFuture<?> beats;
    private volatile long heard = System.nanoTime();
    private volatile boolean busy;
    private long last = System.nanoTime();

    /**
     * @param limit how long the other end may be silent
     * @param beat sends this end's sign of life; must not wait long
     * @param dead runs once, on the timer's thread
     */
    public LivenessWatch(ScheduledExecutorService timer, Duration limit, Beat beat, Runnable dead) {
        this.limitNanos = limit.toNanos();
        this.pauseNanos = limitNanos / BEATS;
        this.beats = timer.scheduleWithFixedDelay(() -> beat(beat, dead), pauseNanos, pauseNanos, TimeUnit.NANOSECONDS);
    }

    private void beat(Beat beat, Runnable dead) {
        if (System.nanoTime() - last > 2 * pauseNanos) {
            // This process was stopped itself: the other end's messages of that time are still to be read.
            heard();
        }
        if (!busy && System.nanoTime() - heard > limitNanos) {
            dead.run();
            close();
            return;
        }
        try {
            beat.speak();
        } catch (IOException e) {
            dead.run();
            close();
        }
        last = System.nanoTime();
    }

    /** Notes that something was received. */
    public void heard() {
        heard = System.nanoTime();
    }

    /** While this end is busy it does not read, so that silence means nothing. */
    public void busy(boolean isBusy) {
        heard();
        busy = isBusy;
    }

    @Override
    public void close() {
        beats.cancel(false);
    }
}
