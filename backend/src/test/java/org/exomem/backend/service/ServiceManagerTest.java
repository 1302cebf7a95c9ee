package org.exomem.backend.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The messages to a service manager, over a real datagram socket. */
class ServiceManagerTest {
    private static final long PROCESS = 4711;

    @TempDir
    Path folder;

    private ListeningManager listening() {
        return new ListeningManager(folder.resolve("notify").toString());
    }

    @Test
    void tellsTheStepsOfAServiceInOrder() {
        try (ListeningManager listening = listening();
                ServiceManager manager = ServiceManager.of(listening.environment("0"), PROCESS)) {
            manager.ready();
            manager.status("1 VM");
            manager.status("1 VM");
            manager.reloading();
            manager.ready();
            manager.stopping();
            await().until(() -> listening.told().size() == 6);
            assertThat(listening.told().get(2)).matches("RELOADING=1\nMONOTONIC_USEC=\\d+");
            assertThat(listening.told())
                    .startsWith("READY=1", "STATUS=1 VM")
                    .endsWith("READY=1", "STOPPING=1", "EXTEND_TIMEOUT_USEC=30000000");
        }
    }

    @Test
    void aProcessThatEndsAsksForMoreTimeAgainAndAgain() {
        try (ListeningManager listening = listening();
                ServiceManager manager = ServiceManager.of(listening.environment("0"), PROCESS)) {
            manager.stopping(Duration.ofMillis(10));
            await().until(() -> listening.told().stream()
                            .filter("EXTEND_TIMEOUT_USEC=30000000"::equals)
                            .count()
                    > 2);
            assertThat(listening.told()).startsWith("STOPPING=1");
        }
    }

    @Test
    void anAbstractSocketIsReachedToo() {
        try (ListeningManager listening = new ListeningManager(
                        "@exomem-test-" + ProcessHandle.current().pid());
                ServiceManager manager = ServiceManager.of(listening.environment("0"), PROCESS)) {
            manager.ready();
            await().until(() -> listening.told().equals(List.of("READY=1")));
        }
    }

    @Test
    void withoutASocketNothingIsToldAndNothingFails() {
        for (String address : List.of("", "relative", "@", "/nothing/there", "/" + "x".repeat(200))) {
            try (ServiceManager manager = ServiceManager.of(Map.of("NOTIFY_SOCKET", address), PROCESS)) {
                assertThat(manager.isThere()).isFalse();
                manager.ready();
            }
        }
    }

    @Test
    void aManagerThatHasGoneIsNotMissed() {
        ListeningManager listening = listening();
        try (ServiceManager manager = ServiceManager.of(listening.environment("0"), PROCESS)) {
            listening.close();
            manager.ready();
            manager.stopping();
            assertThat(manager.isThere()).isTrue();
        }
    }

    @Test
    void theWatchdogOfAnotherProcessIsNotFed() {
        try (ListeningManager listening = listening()) {
            assertThat(watchdog(listening, "1000000", "4711")).contains(Duration.ofSeconds(1));
            assertThat(watchdog(listening, "1000000", "1")).isEmpty();
            assertThat(watchdog(listening, "soon", "4711")).isEmpty();
            assertThat(watchdog(listening, "-5", "4711")).isEmpty();
        }
    }

    private static Optional<Duration> watchdog(ListeningManager listening, String micros, String process) {
        Map<String, String> environment = new HashMap<>(listening.environment(micros));
        environment.put("WATCHDOG_PID", process);
        try (ServiceManager manager = ServiceManager.of(environment, PROCESS)) {
            return manager.watchdog();
        }
    }

    @Test
    void theWatchdogIsFedOnlyWhileTheProcessCanWork() {
        AtomicReference<Pulse> pulse = new AtomicReference<>(new Pulse(2, 1, List.of("web"), true));
        try (ListeningManager listening = listening();
                ServiceManager manager = ServiceManager.of(listening.environment("60000"), PROCESS);
                Heartbeat _ = Heartbeat.start(manager, () -> CompletableFuture.completedFuture(pulse.get()))) {
            await().until(() -> fed(listening) > 2);
            assertThat(listening.told()).contains("STATUS=2 VMs, 1 attached; not answering: web");
            pulse.set(new Pulse(2, 0, List.of("db", "web"), true));
            await().until(() -> listening.told().contains("STATUS=2 VMs, 0 attached; not answering: db, web"));
            long before = fed(listening);
            pulse.set(new Pulse(2, 2, List.of(), false));
            await().until(() ->
                    listening.told().contains("STATUS=2 VMs, 2 attached; the control socket does not answer"));
            assertThat(fed(listening)).isEqualTo(before);
            pulse.set(new Pulse(0, 0, List.of(), true));
            await().until(() -> fed(listening) > before);
        }
    }

    private static long fed(ListeningManager listening) {
        return listening.told().stream().filter("WATCHDOG=1"::equals).count();
    }

    @Test
    void aPulseThatDoesNotComeFeedsNothing() {
        try (ListeningManager listening = listening();
                ServiceManager manager = ServiceManager.of(listening.environment("3000"), PROCESS);
                Heartbeat _ = Heartbeat.start(manager, CompletableFuture::new)) {
            manager.status("done");
            await().until(() -> !listening.told().isEmpty());
            await().during(Duration.ofMillis(100)).until(() -> fed(listening) == 0);
        }
    }
}
