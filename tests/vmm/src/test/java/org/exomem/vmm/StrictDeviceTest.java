package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.time.Duration;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.strict.serve.Provocation;
import org.exomem.conform.strict.scene.Offer;
import org.exomem.conformance.frontend.Features;
import org.exomem.conform.trial.DeviceType;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** {@code exomem conform --as-device} with a real front-end and a real driver: QEMU's generic device, and Linux. */
@RealGuest
final class StrictDeviceTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 256 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(3);

    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    void ofQemuAndLinuxsBalloonDriverExactlyTheKnownFaultsAreFound(GuestImage.Linux linux) throws IOException {
        try (StrictRun strict = StrictRun.of(DeviceType.BALLOON, Provocation.NONE)) {
            try (Qemu qemu = Qemu.start(QemuCommand.of(GuestImage.of(linux))
                    .ram(RAM)
                    .driver("virtio_balloon")
                    .vhostUserBalloon(strict.socket(), 5))) {
                await().atMost(LIMIT).until(strict::isScriptDone);
                qemu.qmp().execute("stop");
                qemu.qmp().execute("cont");
                qemu.guest().run("rmmod virtio_balloon");
                VhostUserBalloon.unplug(qemu);
                strict.report();
            }
            System.out.println(strict.report().notes());
            System.out.println(strict.told());
            System.out.println("PASS " + strict.requirements(Verdict.PASS));
            System.out.println("SKIP " + strict.requirements(Verdict.SKIP));
            assertThat(strict.requirements(Verdict.FAIL)).containsExactly("vhost.status.1");
        }
    }

    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    void ofQemuAndLinuxsMemoryDriverExactlyTheKnownFaultsAreFound(GuestImage.Linux linux) throws IOException {
        try (StrictRun strict = StrictRun.of(DeviceType.MEM, Provocation.NONE)) {
            try (Qemu qemu = Qemu.start(QemuCommand.of(GuestImage.of(linux))
                    .ram(RAM)
                    .driver("virtio_mem")
                    .vhostUserMemory(strict.socket(), StrictRun.REGION))) {
                await().atMost(LIMIT).until(strict::isScriptDone);
                qemu.qmp().execute("stop");
                qemu.qmp().execute("cont");
                qemu.guest().run("rmmod virtio_mem");
            }
            System.out.println(strict.report().notes());
            System.out.println(strict.told());
            System.out.println("PASS " + strict.requirements(Verdict.PASS));
            System.out.println("SKIP " + strict.requirements(Verdict.SKIP));
            assertThat(strict.requirements(Verdict.FAIL)).containsExactly("vhost.status.1");
        }
    }

    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    void packedRings(GuestImage.Linux linux) throws IOException {
        Offer offer = Offer.of(DeviceType.BALLOON);
        try (StrictRun strict = StrictRun.of(offer.withFeatures(offer.features() | Features.RING_PACKED), Provocation.NONE)) {
            try (Qemu qemu = Qemu.start(QemuCommand.of(GuestImage.of(linux))
                    .ram(RAM)
                    .kernelArgument("page_poison=1")
                    .driver("virtio_balloon")
                    .vhostUserBalloon(strict.socket(), 5, "packed=on"))) {
                await().atMost(LIMIT).until(strict::isScriptDone);
                qemu.qmp().execute("stop");
                qemu.qmp().execute("cont");
                qemu.guest().run("rmmod virtio_balloon");
                VhostUserBalloon.unplug(qemu);
                strict.report();
            }
            System.out.println(strict.report().notes());
            System.out.println(strict.told());
            System.out.println("PASS " + strict.requirements(Verdict.PASS));
            System.out.println("SKIP " + strict.requirements(Verdict.SKIP));
            assertThat(strict.requirements(Verdict.FAIL)).containsExactly("vhost.status.1");
        }
    }
}
