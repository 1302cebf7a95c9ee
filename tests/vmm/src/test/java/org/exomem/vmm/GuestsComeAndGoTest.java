package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/** One process that serves two guests, which are started, reset, unplugged and killed while it runs. */
@RealGuest
final class GuestsComeAndGoTest {

    private static final long MIB = 1L << 20;
    private static final long RAM = 1024 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @Test
    void twoGuestsAreBalloonedAtOnceAndApart() throws IOException {
        try (BackEnd backEnd = BackEnd.start("a", "b");
                Qemu a = start(backEnd, "a");
                Qemu b = start(backEnd, "b")) {
            a.guest().run("memeat fill kept 128 7");
            b.guest().run("memeat fill kept 128 8");

            backEnd.balloon("a").resize(RAM - 512 * MIB);
            backEnd.balloon("b").resize(RAM - 256 * MIB);
            awaitActual(backEnd, "a", RAM - 512 * MIB);
            awaitActual(backEnd, "b", RAM - 256 * MIB);
            assertThat(backEnd.balloon("a").ballooned()).isEqualTo(512 * MIB);
            assertThat(backEnd.balloon("b").ballooned()).isEqualTo(256 * MIB);

            backEnd.balloon("a").resize(RAM);
            awaitActual(backEnd, "a", RAM);
            assertThat(backEnd.balloon("b").actual()).isEqualTo(RAM - 256 * MIB);
            assertThat(a.guest().run("memeat verify kept")).startsWith("ok ");
            assertThat(b.guest().run("memeat verify kept")).startsWith("ok ");
        }
    }

    @Test
    void aBalloonIsTakenOutOfARunningGuestAndPutBack() throws IOException {
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(backEnd, "a")) {
            backEnd.balloon("a").resize(RAM - 256 * MIB);
            awaitActual(backEnd, "a", RAM - 256 * MIB);

            VhostUserBalloon.unplug(qemu);
            assertThat(backEnd.control()
                            .awaitEvent("DEVICE_DISCONNECTED", LIMIT)
                            .data()
                            .path("vm")
                            .asText())
                    .isEqualTo("a");
            assertThat(backEnd.balloon("a").isConnected()).isFalse();
            // The driver takes all pages back when its device goes.
            await().atMost(LIMIT).until(() -> qemu.guest().memory().free() > RAM - 160 * MIB);

            VhostUserBalloon.plug(qemu, backEnd.socket("a"));
            // The target outlives the connection.
            await().atMost(LIMIT).until(() -> backEnd.balloon("a").isConnected());
            awaitActual(backEnd, "a", RAM - 256 * MIB);
            assertThat(backEnd.balloon("a").ballooned()).isEqualTo(256 * MIB);
            assertThat(qemu.guest().memory().free()).isLessThan(RAM - 256 * MIB);
            backEnd.balloon("a").resize(RAM);
            awaitActual(backEnd, "a", RAM);
        }
    }

    @Test
    void aGuestThatIsResetGetsItsBalloonAgain() throws IOException {
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = Qemu.start(guest(backEnd, "a").rebootable())) {
            backEnd.balloon("a").resize(RAM - 256 * MIB);
            awaitActual(backEnd, "a", RAM - 256 * MIB);

            qemu.qmp().execute("system_reset");
            qemu.guest().awaitBoot(LIMIT);
            awaitActual(backEnd, "a", RAM - 256 * MIB);
            assertThat(backEnd.balloon("a").ballooned())
                    .as("pages of before the reset are not counted")
                    .isEqualTo(256 * MIB);
            assertThat(qemu.guest().memory().free()).isLessThan(RAM - 256 * MIB);

            backEnd.balloon("a").resize(RAM);
            awaitActual(backEnd, "a", RAM);
            qemu.guest().run("memeat fill all 512 5");
            assertThat(qemu.guest().run("memeat verify all")).startsWith("ok ");
        }
    }

    @Test
    void guestKilledWhileItInflatesLeavesOthersAndTheBackEndAlone() throws IOException {
        try (BackEnd backEnd = BackEnd.start("a", "b");
                Qemu b = start(backEnd, "b")) {
            b.guest().run("memeat fill kept 128 9");
            for (int round = 0; round < 2; round++) {
                try (Qemu a = start(backEnd, "a")) {
                    backEnd.balloon("a").resize(RAM - 896 * MIB);
                    await().atMost(LIMIT)
                            .pollInterval(Duration.ofMillis(5))
                            .until(() -> backEnd.balloon("a").actual() < RAM - 16 * MIB);
                    a.kill();
                }
                await().atMost(LIMIT).until(() -> !backEnd.balloon("a").isConnected());
                backEnd.control().awaitEvent("DEVICE_DISCONNECTED", LIMIT);
            }

            backEnd.balloon("b").resize(RAM - 512 * MIB);
            awaitActual(backEnd, "b", RAM - 512 * MIB);
            assertThat(b.guest().run("memeat verify kept")).startsWith("ok ");
            assertThat(backEnd.control().pollEvent("DEVICE_ERROR")).isNull();

            // The next VMM on that socket finds a new device.
            backEnd.balloon("a").resize(RAM);
            try (Qemu a = start(backEnd, "a")) {
                backEnd.balloon("a").resize(RAM - 128 * MIB);
                awaitActual(backEnd, "a", RAM - 128 * MIB);
                assertThat(a.guest().memory().free()).isLessThan(RAM - 128 * MIB);
            }
            assertThat(backEnd.terminate()).isZero();
        }
    }

    @Test
    void vmRunsOnWhenItsBackEndIsKilled() throws IOException {
        try (BackEnd backEnd = BackEnd.start("a");
                Qemu qemu = start(backEnd, "a")) {
            qemu.guest().run("memeat fill kept 128 3");
            backEnd.balloon("a").resize(RAM - 256 * MIB);
            awaitActual(backEnd, "a", RAM - 256 * MIB);

            backEnd.kill();
            assertThat(qemu.guest().run("memeat verify kept")).startsWith("ok ");
            // It has the memory that was left to it, all of it usable.
            assertThat(qemu.guest().memory().free()).isLessThan(RAM - 384 * MIB);
            qemu.guest().run("memeat fill more 256 4");
            assertThat(qemu.guest().run("memeat verify more")).startsWith("ok ");
            assertThat(qemu.qmp().execute("query-status").path("status").asText())
                    .isEqualTo("running");
            assertThat(qemu.isAlive()).as(qemu.output()).isTrue();
        }
    }

    private static Qemu start(BackEnd backEnd, String vm) throws IOException {
        try {
            return Qemu.start(guest(backEnd, vm));
        } catch (IOException e) {
            throw new IOException(e.getMessage() + backEnd.output(), e);
        }
    }

    private static QemuCommand guest(BackEnd backEnd, String vm) {
        return QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                .ram(RAM)
                .driver("virtio_balloon")
                .vhostUserBalloon(backEnd.socket(vm));
    }

    private static void awaitActual(BackEnd backEnd, String vm, long bytes) {
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(backEnd.balloon(vm).actual())
                        .as(backEnd.output())
                        .isEqualTo(bytes));
    }
}
