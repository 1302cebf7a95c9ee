package org.exomem.migration.stream.wire;

import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;

/** Threads that look at the clock for one end of a stream: two, so that one that speaks to a deaf peer holds no other up. */
public final class Timers {
    private Timers() {}

    public static ScheduledExecutorService start() {
        ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(
                2, Thread.ofPlatform().name("migration-timer-", 0).daemon().factory());
        timer.setRemoveOnCancelPolicy(true);
        return timer;
    }
}
