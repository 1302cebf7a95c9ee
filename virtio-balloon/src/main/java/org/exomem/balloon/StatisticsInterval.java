package org.exomem.balloon;

import java.time.Duration;
import org.exomem.vhostuser.backend.EventLoop;
import org.jspecify.annotations.Nullable;

/** Asks for statistics periodically. Used on the VM's event loop. */
final class StatisticsInterval {
    /** Schedules the timer, as {@link EventLoop#schedule}. */
    @FunctionalInterface
    interface Scheduler {
        EventLoop.Timer schedule(Duration delay, Runnable task);
    }

    private final Scheduler scheduler;
    private final Runnable request;
    private int seconds;
    private EventLoop.@Nullable Timer timer;

    StatisticsInterval(Scheduler scheduler, Runnable request) {
        this.scheduler = scheduler;
        this.request = request;
    }

    int seconds() {
        return seconds;
    }

    /** @param interval in seconds; 0 stops asking. A changed interval asks at once */
    void set(int interval) {
        if (interval < 0) {
            throw new IllegalArgumentException(
                    "the statistics interval can't be " + interval + " s; 0 disables statistics");
        }
        if (interval == seconds) {
            return;
        }
        if (timer != null) {
            timer.cancel();
            timer = null;
        }
        seconds = interval;
        if (interval > 0) {
            ask();
        }
    }

    private void ask() {
        request.run();
        timer = scheduler.schedule(Duration.ofSeconds(seconds), this::ask);
    }
}
