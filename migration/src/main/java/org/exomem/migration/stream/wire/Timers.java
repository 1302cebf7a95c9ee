package org.exomem.migration.stream.wire;

import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;

/**
 * The timer threads for one end of a stream: two, so that a send to a peer that does not read does not delay other tasks.
 */
public final class Timers {
    private Timers() {}

    public static ScheduledExecutorService start() {
        ScheduledThreadPoolExecutor timer = new ScheduledThreadPoolExecutor(
                2, Thread.ofPlatform().name("migration-timer-", 0).daemon().factory());
        timer.setRemoveOnCancelPolicy(true);
        return timer;
    }
}
