package org.exomem.backend.metrics;

import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;

/**
 * Asks one event loop again and again to run a task, and measures how late it is. While it has not answered it is not asked again:
 * what hangs gets no heap of tasks. Made once for each loop; asking makes nothing but the loop's entry.
 */
final class LoopProbe {
    private final Consumer<Runnable> loop;
    private final DelayHistogram delays;
    private final Runnable task = this::answered;
    /** When it was asked and has not answered; 0 if it has. Never 0 otherwise. */
    private volatile long askedAt;

    private volatile long last;

    /** @param loop takes a task and runs it on the loop */
    LoopProbe(Consumer<Runnable> loop, DelayHistogram delays) {
        this.loop = loop;
        this.delays = delays;
    }

    /** On the thread that asks, which is one. */
    void ask() {
        if (askedAt != 0) {
            return;
        }
        askedAt = System.nanoTime() | 1;
        try {
            loop.accept(task);
        } catch (RejectedExecutionException e) {
            // It ends; whoever asks next does not know it any more.
            askedAt = 0;
        }
    }

    private void answered() {
        long delay = System.nanoTime() - askedAt;
        askedAt = 0;
        last = Math.max(0, delay);
        delays.add(last);
    }

    /** Nanoseconds that it was late when it answered last, or is by now, if that is more. */
    long delay() {
        long since = askedAt;
        return since == 0 ? last : Math.max(last, System.nanoTime() - since);
    }
}
