package org.exomem.backend.service;

import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.exomem.linux.LinuxException;
import org.exomem.linux.NotifySocket;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends the state of the process to the service manager that started it, if there is one: the protocol of sd_notify(3). A
 * failure is only logged, as the VMs are served all the same. Safe for use by several threads; does not wait.
 */
public final class ServiceManager implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ServiceManager.class);

    private static final Duration EXTEND_BY = Duration.ofSeconds(30);
    // Not a division: Duration divides by BigDecimal, and setting up that class takes milliseconds of the start.
    private static final Duration EXTEND_EVERY = Duration.ofSeconds(10);
    /** The longest time for ending the process. What guests wait for has shorter limits. */
    private static final Duration LONGEST_END = Duration.ofMinutes(5);

    /** Has no thread before the process ends. */
    private final ScheduledExecutorService ending = Executors.newSingleThreadScheduledExecutor(
            task -> Thread.ofPlatform().name("ending").daemon().unstarted(task));

    private final @Nullable NotifySocket socket;
    private final Optional<Duration> watchdog;
    private String status = "";
    private boolean failing;

    private ServiceManager(@Nullable NotifySocket socket, Optional<Duration> watchdog) {
        this.socket = socket;
        this.watchdog = watchdog;
    }

    /** The manager that started this process. Without one, calls have no effect. */
    public static ServiceManager ofProcess() {
        return of(System.getenv(), ProcessHandle.current().pid());
    }

    static ServiceManager of(Map<String, String> environment, long process) {
        String address = environment.get("NOTIFY_SOCKET");
        if (address == null || address.isEmpty()) {
            return new ServiceManager(null, Optional.empty());
        }
        try {
            return new ServiceManager(NotifySocket.connect(address), watchdog(environment, process));
        } catch (LinuxException e) {
            LOG.warn("can't notify the service manager: {}", e.getMessage());
            return new ServiceManager(null, Optional.empty());
        }
    }

    /** The manager's limit for a sign of life; empty if there is none, or it applies to another process. */
    private static Optional<Duration> watchdog(Map<String, String> environment, long process) {
        String of = environment.get("WATCHDOG_PID");
        if (of != null && !of.equals(Long.toString(process))) {
            return Optional.empty();
        }
        try {
            long micros = Long.parseLong(environment.getOrDefault("WATCHDOG_USEC", "0"));
            return micros > 0
                    ? Optional.of(Duration.of(micros, TimeUnit.MICROSECONDS.toChronoUnit()))
                    : Optional.empty();
        } catch (NumberFormatException e) {
            return Optional.empty();
        }
    }

    /** True if there is a service manager. */
    public boolean isThere() {
        return socket != null;
    }

    /** How long the manager waits for {@link #alive} before it ends this process; empty if it does not. */
    public Optional<Duration> watchdog() {
        return watchdog;
    }

    /** The process is ready; also after {@link #reloading}. */
    public void ready() {
        send("READY=1");
    }

    /** The configuration is being read again, until {@link #ready}. */
    public void reloading() {
        // The clock of System.nanoTime is CLOCK_MONOTONIC here. The manager uses it to distinguish this reload from
        // the one before.
        send("RELOADING=1\nMONOTONIC_USEC=" + TimeUnit.NANOSECONDS.toMicros(System.nanoTime()));
    }

    /**
     * The process is ending. The manager gives it time until {@link #close}, five minutes at most, as guests may be paused
     * meanwhile.
     */
    public void stopping() {
        stopping(EXTEND_EVERY);
    }

    void stopping(Duration every) {
        send("STOPPING=1");
        if (isThere()) {
            long end = System.nanoTime() + LONGEST_END.toNanos();
            ending.scheduleAtFixedRate(() -> extend(end), 0, every.toNanos(), TimeUnit.NANOSECONDS);
        }
    }

    /** The manager kills a process that has neither ended nor asked for more time within this time. */
    private void extend(long end) {
        if (end - System.nanoTime() > 0) {
            send("EXTEND_TIMEOUT_USEC=" + TimeUnit.NANOSECONDS.toMicros(EXTEND_BY.toNanos()));
        }
    }

    /** A sign of life. */
    public void alive() {
        send("WATCHDOG=1");
    }

    /** The status in one line; sent if it has changed. */
    public synchronized void status(String line) {
        if (!line.equals(status)) {
            status = line;
            send("STATUS=" + line.replace('\n', ' '));
        }
    }

    private synchronized void send(String message) {
        if (socket == null) {
            return;
        }
        try {
            socket.send(message);
            failing = false;
        } catch (LinuxException | IllegalStateException e) {
            if (!failing) {
                failing = true;
                LOG.warn("can't notify the service manager: {}", e.getMessage());
            }
        }
    }

    @Override
    public synchronized void close() {
        ending.shutdownNow();
        if (socket != null) {
            socket.close();
        }
    }
}
