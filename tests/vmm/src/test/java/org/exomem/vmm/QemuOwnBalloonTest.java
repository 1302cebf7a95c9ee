package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Tests of the test environment with QEMU's own balloon: the other tests can rely on these measurements. */
@RealGuest
final class QemuOwnBalloonTest {

    private static final long MIB = 1L << 20;
    private static final long RAM = 1024 * MIB;
    private static final long INFLATED = 512 * MIB;
    /** The variation of an idle guest's free memory. */
    private static final long NOISE = 16 * MIB;

    private static final Duration LIMIT = Duration.ofMinutes(2);

    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    void inflatedPagesLeaveTheGuestAndTheHostAndComeBack(GuestImage.Linux linux) throws IOException {
        QemuCommand command = QemuCommand.of(GuestImage.of(linux))
                .ram(RAM)
                .driver("virtio_balloon")
                .ownBalloon();
        try (Qemu qemu = Qemu.start(command)) {
            qemu.guest().run("memeat fill once 768 4711");
            assertThat(qemu.guest().run("memeat verify once")).startsWith("ok ");
            qemu.guest().run("memeat free once");
            long freeBefore = qemu.guest().memory().free();
            long allocatedBefore = qemu.ram().allocated();
            assertThat(allocatedBefore).isGreaterThan(768 * MIB);

            target(qemu, RAM - INFLATED);
            assertThat(qemu.guest().memory().free()).isCloseTo(freeBefore - INFLATED, within(NOISE));
            assertThat(qemu.ram().allocated()).isLessThan(allocatedBefore - INFLATED * 9 / 10);

            target(qemu, RAM);
            assertThat(qemu.guest().memory().free()).isCloseTo(freeBefore, within(NOISE));
        }
    }

    private static void target(Qemu qemu, long bytes) throws IOException {
        qemu.qmp().execute("balloon", Map.of("value", bytes));
        await().atMost(LIMIT)
                .until(() -> qemu.qmp().execute("query-balloon").path("actual").asLong() == bytes);
    }
}
