package org.exomem.backend.vm;

import java.time.Duration;
import java.util.function.Consumer;

/**
 * Passes the first lines of an interval to the log, and only counts the others. A guest that causes complaints in a loop
 * must not fill the host's disk. For one thread.
 */
final class LogThrottle {
    /** The number of lines that pass in one interval. */
    static final int LINES = 5;

    static final Duration INTERVAL = Duration.ofSeconds(10);

    /** Runs a task on the same thread, later. */
    interface Later {
        void schedule(Duration delay, Runnable task);
    }

    private final Consumer<String> log;
    private final Later later;
    private int said;
    private long leftOut;

    LogThrottle(Consumer<String> log, Later later) {
        this.log = log;
        this.later = later;
    }

    void say(String line) {
        if (said == LINES) {
            leftOut++;
            return;
        }
        if (said++ == 0) {
            later.schedule(INTERVAL, this::intervalEnded);
        }
        log.accept(line);
    }

    private void intervalEnded() {
        said = 0;
        if (leftOut > 0) {
            log.accept(leftOut + " more such messages in " + INTERVAL.toSeconds() + " s were suppressed");
            leftOut = 0;
        }
    }
}
