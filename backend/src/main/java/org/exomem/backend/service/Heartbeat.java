package org.exomem.backend.service;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Checks the process at an interval, and sends its status and a sign of life to the service manager. */
public final class Heartbeat implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Heartbeat.class);
    private static final Duration STATUS_INTERVAL = Duration.ofSeconds(5);

    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor(
            task -> Thread.ofPlatform().name("heartbeat").daemon().unstarted(task));
    private final ServiceManager manager;
    private final Supplier<CompletableFuture<Pulse>> pulse;

    private Heartbeat(ServiceManager manager, Supplier<CompletableFuture<Pulse>> pulse) {
        this.manager = manager;
        this.pulse = pulse;
    }

    /**
     * Begins, if there is a service manager.
     *
     * @param pulse answers within some seconds, whatever hangs; not waited for
     */
    public static Heartbeat start(ServiceManager manager, Supplier<CompletableFuture<Pulse>> pulse) {
        Heartbeat heart = new Heartbeat(manager, pulse);
        if (manager.isThere()) {
            // Three times within the manager's limit, so that one sign may be late.
            long every = manager.watchdog()
                    .map(limit -> limit.dividedBy(3))
                    .filter(interval -> interval.compareTo(STATUS_INTERVAL) < 0)
                    .orElse(STATUS_INTERVAL)
                    .toMillis();
            heart.timer.scheduleAtFixedRate(heart::tryToBeat, 0, Math.max(1, every), TimeUnit.MILLISECONDS);
        }
        return heart;
    }

    /** A fault here must not end the heartbeat, as the manager would then end a process that works. */
    private void tryToBeat() {
        try {
            beat();
        } catch (RuntimeException e) {
            LOG.error("could not report the state of the process to the service manager", e);
        }
    }

    private void beat() {
        pulse.get().whenComplete((now, failure) -> {
            if (now == null) {
                return;
            }
            manager.status(now.line());
            if (now.isAlive() && manager.watchdog().isPresent()) {
                manager.alive();
            }
        });
    }

    @Override
    public void close() {
        timer.shutdownNow();
    }
}
