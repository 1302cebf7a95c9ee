package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * QEMU's generic device dereferences a null pointer when it reads a config change while the device is not started.
 * These tests time config changes to the moment in which a device stops, and count the QEMUs that end. {@code
 * -Dexomem.rounds=200} sets the number of attempts for each kind of stop.
 */
@RealGuest
@Tag("VHU-CFG-4")
@Tag("VHU-CFG-6")
final class ConfigChangeAtStopTest {
    private static final int ROUNDS = Integer.getInteger("exomem.rounds", 20);
    /** With Linux a round takes seconds. */
    private static final int LINUX_ROUNDS = Math.max(2, ROUNDS / 20);

    private static final long MIB = 1L << 20;
    private static final long RAM = 256 * MIB;
    private static final long REGION = 256 * MIB;
    private static final long BLOCK = 4 * MIB;
    /** The config change is sent at most this long before or after the stop. */
    private static final long SPREAD_NANOS = 6_000_000;

    private static final Duration LIMIT = Duration.ofMinutes(2);

    private final long seed = new Random().nextLong();
    private final Random random = new Random(seed);

    private interface Action {
        void run() throws IOException;
    }

    /** The action that stops the device when a config change is sent, and the action that lets it run again. */
    private record Stop(Action stop, Action restart) {}

    @Test
    void qemuSurvivesBalloonChangesThatMeetStop() throws IOException {
        try (Rounds rounds = Rounds.ofDriver()) {
            aim("stop", ROUNDS, rounds, rounds::changeBalloon, rounds.stopAndContinue());
        }
    }

    @Test
    void qemuSurvivesBalloonChangesThatMeetADriversReset() throws IOException {
        try (Rounds rounds = Rounds.ofDriver()) {
            aim("reset of the device", ROUNDS, rounds, rounds::changeBalloon, rounds.resetAndStart());
        }
    }

    @Test
    void qemuSurvivesBalloonChangesThatMeetSystemReset() throws IOException {
        try (Rounds rounds = Rounds.ofDriver()) {
            aim("system_reset", ROUNDS, rounds, rounds::changeBalloon, rounds.bootAgain());
        }
    }

    /** Only the guest acts: exomem must report that the device needs a reset. */
    @Test
    void qemuSurvivesADriverThatBreaksAQueueAndResets() throws IOException {
        try (Rounds rounds = Rounds.ofDriver()) {
            aim("broken queue, then reset", ROUNDS, rounds, () -> {}, rounds.breakAndReset());
        }
    }

    @Test
    void qemuSurvivesMemoryDeviceChangesThatMeetStop() throws IOException {
        try (Rounds rounds = Rounds.ofLinux()) {
            aim("stop (virtio_mem of Linux)", LINUX_ROUNDS, rounds, rounds::changeMemory, rounds.stopAndContinue());
        }
    }

    @Test
    void qemuSurvivesBalloonChangesThatMeetRmmod() throws IOException {
        try (Rounds rounds = Rounds.ofLinux()) {
            aim("rmmod (virtio_balloon of Linux)", LINUX_ROUNDS, rounds, rounds::changeBalloon, rounds.unloadAndLoad());
        }
    }

    @Test
    void changeWhileTheVmmIsStoppedReachesTheGuestWhenItRunsAgain() throws IOException {
        try (Rounds rounds = Rounds.ofLinux()) {
            BalloonControl balloon = rounds.backEnd.balloon("a");
            await().atMost(LIMIT).until(() -> !balloon.features().isEmpty());
            rounds.qemu.qmp().execute("stop");
            balloon.resize(RAM - 16 * MIB);
            rounds.qemu.qmp().execute("cont");
            await().atMost(LIMIT).until(() -> balloon.actual() == RAM - 16 * MIB);
            rounds.qemu.qmp().execute("stop");
            rounds.qemu.qmp().execute("system_reset");
            balloon.resize(RAM - 8 * MIB);
            assertThat(rounds.qemu.qmp().execute("query-status").path("status").asText())
                    .isNotEqualTo("running");
            rounds.qemu.qmp().execute("cont");
            rounds.qemu.guest().awaitBoot(LIMIT);
            await().atMost(LIMIT).until(() -> balloon.actual() == RAM - 8 * MIB);
        }
    }

    private void aim(String name, int count, Rounds rounds, Action change, Stop stop) throws IOException {
        List<String> crashes = new ArrayList<>();
        for (int round = 0; round < count; round++) {
            // Negative: the change comes first.
            long delay = random.nextLong(-SPREAD_NANOS, SPREAD_NANOS);
            if (!rounds.survives(change, stop, delay)) {
                crashes.add("round " + round + ", change " + delay / 1000 + " us after the stop");
            }
        }
        System.out.printf("Config change at %s: QEMU ended in %d of %d rounds%n", name, crashes.size(), count);
        assertThat(crashes).as("seed %d", seed).isEmpty();
        assertThat(rounds.backEnd.isAlive()).isTrue();
    }

    /** A guest that is started again whenever its QEMU has ended. */
    private static final class Rounds implements AutoCloseable {
        private final BackEnd backEnd;
        private final QemuCommand command;
        /** Starts the driver, if it does not start by itself. */
        private final Action start;

        private Qemu qemu;
        private int changes;

        private Rounds(BackEnd backEnd, QemuCommand command, String start) throws IOException {
            this.backEnd = backEnd;
            this.command = command;
            this.start = () -> qemu.guest().run(start);
            this.qemu = Qemu.start(command);
            this.start.run();
        }

        static Rounds ofDriver() throws IOException {
            BackEnd backEnd = BackEnd.start("a");
            return of(
                    backEnd,
                    QemuCommand.of(GuestImage.driver()).rebootable().vhostUserBalloon(backEnd.socket("a")),
                    "start");
        }

        static Rounds ofLinux() throws IOException {
            BackEnd backEnd = BackEnd.start(List.of("a"), List.of("a/m0,addr=4G,size=256M,block=4M"));
            return of(
                    backEnd,
                    QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                            .rebootable()
                            .driver("virtio_balloon")
                            .driver("virtio_mem")
                            .vhostUserBalloon(backEnd.socket("a"))
                            .vhostUserMemory(backEnd.socket("a/m0"), REGION),
                    "true");
        }

        private static Rounds of(BackEnd backEnd, QemuCommand command, String start) throws IOException {
            try {
                return new Rounds(backEnd, command.ram(RAM), start);
            } catch (IOException e) {
                backEnd.close();
                throw e;
            }
        }

        void changeBalloon() throws IOException {
            backEnd.balloon("a").resize(RAM - (changes++ % 2 == 0 ? 4 : 8) * MIB);
        }

        void changeMemory() throws IOException {
            backEnd.memory("a", "m0").resize((changes++ % 2 == 0 ? 1 : 2) * BLOCK);
        }

        Stop stopAndContinue() {
            return new Stop(() -> qemu.qmp().execute("stop"), () -> qemu.qmp().execute("cont"));
        }

        Stop resetAndStart() {
            return new Stop(() -> qemu.guest().run("reset"), start);
        }

        Stop bootAgain() {
            return new Stop(() -> qemu.qmp().execute("system_reset"), () -> {
                qemu.guest().awaitBoot(LIMIT);
                start.run();
            });
        }

        Stop breakAndReset() {
            return new Stop(() -> qemu.guest().run("break 1 20000000"), start);
        }

        Stop unloadAndLoad() {
            return new Stop(
                    () -> qemu.guest().run("rmmod virtio_balloon"),
                    () -> qemu.guest().run("load virtio_balloon"));
        }

        /** Returns whether QEMU is alive after a change and a stop. Starts another one if it is not. */
        boolean survives(Action change, Stop stop, long delay) throws IOException {
            try {
                long moment = System.nanoTime() + SPREAD_NANOS;
                CompletableFuture<Void> changed = CompletableFuture.runAsync(() -> runAt(moment + delay, change));
                runAt(moment, stop.stop());
                changed.join();
                stop.restart().run();
                qemu.qmp().execute("query-status");
                return true;
            } catch (IOException | UncheckedIOException | CompletionException e) {
                if (!qemu.hasEnded()) {
                    throw e;
                }
                qemu.close();
                qemu = Qemu.start(command);
                start.run();
                return false;
            }
        }

        private static void runAt(long nanoTime, Action action) {
            while (System.nanoTime() - nanoTime < 0) {
                Thread.onSpinWait();
            }
            try {
                action.run();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void close() throws IOException {
            qemu.close();
            backEnd.close();
        }
    }
}
