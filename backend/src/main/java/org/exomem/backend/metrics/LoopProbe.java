package org.exomem.backend.metrics;

import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;

/**
 * Measures the delay of one event loop by submitting a task. While a task waits, no other one is submitted, so that a loop
 * that hangs does not accumulate tasks. One object for each loop; a measurement allocates only the loop's entry.
 */
final class LoopProbe {
    private final Consumer<Runnable> loop;
    private final DelayHistogram delays;
    private final Runnable task = this::answered;
    /** When the task was submitted that waits, by {@link System#nanoTime}; 0 if none waits. */
    private volatile long askedAt;

    private volatile long last;

    /** @param loop takes a task and runs it on the loop */
    LoopProbe(Consumer<Runnable> loop, DelayHistogram delays) {
        this.loop = loop;
        this.delays = delays;
    }

    /** Submits a task. On the measuring thread only. */
    void ask() {
        if (askedAt != 0) {
            return;
        }
        askedAt = System.nanoTime() | 1;
        try {
            loop.accept(task);
        } catch (RejectedExecutionException e) {
            // The loop is ending. The next round does not include it.
            askedAt = 0;
        }
    }

    private void answered() {
        long delay = System.nanoTime() - askedAt;
        askedAt = 0;
        last = Math.max(0, delay);
        delays.add(last);
    }

    /** The last delay in nanoseconds, or the present one if that is longer. */
    long delay() {
        long since = askedAt;
        return since == 0 ? last : Math.max(last, System.nanoTime() - since);
    }
}
