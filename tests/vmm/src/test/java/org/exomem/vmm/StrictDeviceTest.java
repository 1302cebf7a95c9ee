package org.exomem.vmm;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.strict.scene.Offer;
import org.exomem.conform.strict.serve.Provocation;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.frontend.Features;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A strict device with a real front-end and a real driver: QEMU's generic device, and Linux. The rules without which no
 * device can work must be seen as met, and only known faults may be found.
 */
@RealGuest
final class StrictDeviceTest {
    private static final long MIB = 1L << 20;
    private static final long RAM = 256 * MIB;
    private static final Duration LIMIT = Duration.ofMinutes(3);

    /** QEMU's generic device forwards only FEATURES_OK of the device status (docs/qemu.md). */
    private static final String KNOWN_FAULT = "vhost.status.1";

    /** Rules for any front-end and driver. */
    private static final List<String> KEPT = ids("""
            feature.1 feature.4 feature.5 feature.8 init.4 reserved.1 reserved.5 reserved.7 reserved.10
            vhost.address.5 vhost.call.1 vhost.channel.2 vhost.channel.6 vhost.channel.10 vhost.config.3 vhost.descriptor.1
            vhost.err.1 vhost.feature.1 vhost.feature.6 vhost.feature.9 vhost.header.4 vhost.header.6 vhost.inband.2 vhost.kick.1
            vhost.memory.1 vhost.memory.2 vhost.memory.10 vhost.message.2 vhost.message.4 vhost.owner.1 vhost.owner.3
            vhost.payload.2 vhost.payload.3 vhost.payload.7 vhost.payload.10 vhost.payload.11 vhost.payload.17 vhost.payload.19
            vhost.queue.2 vhost.queue.3 vhost.queue.4 vhost.queue.7 vhost.queue.8 vhost.region.1 vhost.region.9 vhost.region.10
            vhost.region.11 vhost.request.1 vhost.request.2 vhost.request.3 vhost.request.8 vhost.request.9 vhost.request.10
            vhost.request.11 vhost.request.12 vhost.request.13 vhost.request.14 vhost.request.15 vhost.request.16 vhost.request.17
            vhost.request.18 vhost.request.21 vhost.request.24 vhost.request.36 vhost.request.37 vhost.request.39 vhost.request.40
            vhost.ring.10 vhost.status.3 vhost.vring.8 vhost.vring.11
            """);

    private static final List<String> OF_SPLIT_RINGS = ids("""
            cleanup.1 ring.split.avail.1 ring.split.desc.5 ring.split.framing.3 ring.split.interrupt.3 ring.split.kick.1
            ring.split.layout.1
            """);

    private static final List<String> OF_PACKED_RINGS = ids("""
            reserved.6 ring.packed.desc.5 ring.packed.desc.6 ring.packed.list.2 ring.packed.list.3 ring.packed.list.5
            ring.packed.list.6 ring.packed.queue.1 vhost.payload.9
            """);

    private static final List<String> OF_BALLOON = ids("""
            balloon.feature.1 balloon.hint.1 balloon.hint.2 balloon.hint.3 balloon.hint.4 balloon.hint.5 balloon.hint.6
            balloon.pages.1 balloon.pages.6 balloon.pages.7 balloon.pages.9 balloon.pages.10 balloon.pages.11 balloon.stats.1
            balloon.stats.2 balloon.stats.3 balloon.stats.5 balloon.stats.8 vhost.config.6 vhost.request.25
            """);

    private static final List<String> OF_MEMORY = ids("mem.block.1 mem.block.8 mem.config.1 mem.init.1");

    private static List<String> ids(String words) {
        return List.of(words.strip().split("\\s+"));
    }

    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    void findsTheKnownFaultOfQemuAndNoneOfLinuxsBalloonDriver(GuestImage.Linux linux) throws IOException {
        try (StrictRun strict = StrictRun.of(Offer.of(DeviceType.BALLOON), Provocation.NONE)) {
            useBalloon(strict, guest(linux).vhostUserBalloon(strict.socket(), StrictRun.BALLOON_QUEUES));

            assertThat(strict.requirements(Verdict.FAIL)).as(strict.told()).containsExactly(KNOWN_FAULT);
            assertThat(strict.requirements(Verdict.PASS))
                    .as(strict.told())
                    .containsAll(KEPT)
                    .containsAll(OF_SPLIT_RINGS)
                    .containsAll(OF_BALLOON);
            assertThat(strict.report().notes())
                    .anyMatch(note -> note.startsWith("RESET_DEVICE is offered"))
                    .anyMatch(note -> note.startsWith("the device status was not read"))
                    .noneMatch(note -> note.startsWith("the device requested that the driver"));
        }
    }

    /** Packed rings, and a kernel that clears pages when they are freed, so that it has a poison value to report. */
    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    void findsNoFaultOfLinuxsDriverWithPackedRingsAndPoisonedPages(GuestImage.Linux linux) throws IOException {
        Offer offer = Offer.of(DeviceType.BALLOON);
        try (StrictRun strict =
                StrictRun.of(offer.withFeatures(offer.features() | Features.RING_PACKED), Provocation.NONE)) {
            useBalloon(
                    strict,
                    guest(linux)
                            .kernelArgument("init_on_free=1")
                            .vhostUserBalloon(strict.socket(), StrictRun.BALLOON_QUEUES, "packed=on"));

            assertThat(strict.requirements(Verdict.FAIL)).as(strict.told()).containsExactly(KNOWN_FAULT);
            assertThat(strict.requirements(Verdict.PASS))
                    .as(strict.told())
                    .containsAll(KEPT)
                    .containsAll(OF_PACKED_RINGS)
                    .containsAll(OF_BALLOON)
                    .contains("balloon.poison.2");
        }
    }

    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    void findsTheKnownFaultOfQemuAndNoneOfLinuxsMemoryDriver(GuestImage.Linux linux) throws IOException {
        try (StrictRun strict = StrictRun.of(Offer.of(DeviceType.MEM), Provocation.NONE)) {
            useMemory(strict, linux, "");

            assertThat(strict.requirements(Verdict.FAIL)).as(strict.told()).containsExactly(KNOWN_FAULT);
            assertThat(strict.requirements(Verdict.PASS))
                    .as(strict.told())
                    .containsAll(KEPT)
                    .containsAll(OF_SPLIT_RINGS)
                    .containsAll(OF_MEMORY);
            assertThat(strict.report().notes())
                    .noneMatch(note -> note.startsWith("the device requested that the driver"));
        }
    }

    @ParameterizedTest
    @EnumSource(GuestImage.Linux.class)
    void findsNoFaultOfLinuxsMemoryDriverWithPackedRings(GuestImage.Linux linux) throws IOException {
        Offer offer = Offer.of(DeviceType.MEM);
        try (StrictRun strict =
                StrictRun.of(offer.withFeatures(offer.features() | Features.RING_PACKED), Provocation.NONE)) {
            useMemory(strict, linux, ",packed=on");

            assertThat(strict.requirements(Verdict.FAIL)).as(strict.told()).containsExactly(KNOWN_FAULT);
            assertThat(strict.requirements(Verdict.PASS))
                    .as(strict.told())
                    .containsAll(KEPT)
                    .containsAll(OF_PACKED_RINGS)
                    .containsAll(OF_MEMORY);
        }
    }

    /** Events that stop and start a device are not faults of the driver. */
    @ParameterizedTest
    @EnumSource(names = {"BALLOON", "MEM"})
    void findsNoFaultWhenTheGuestBootsAgainOrItsDriverIsLoadedAgain(DeviceType type) throws IOException {
        String driver = type == DeviceType.MEM ? "virtio_mem" : "virtio_balloon";
        try (StrictRun strict = StrictRun.of(Offer.of(type), Provocation.NONE)) {
            QemuCommand command = QemuCommand.of(GuestImage.of(GuestImage.Linux.BOOKWORM))
                    .ram(RAM)
                    .rebootable()
                    .driver(driver);
            command = type == DeviceType.MEM
                    ? command.vhostUserMemory(strict.socket(), StrictRun.REGION)
                    : command.vhostUserBalloon(strict.socket(), StrictRun.BALLOON_QUEUES);
            try (Qemu qemu = Qemu.start(command)) {
                // In the middle of the device's goals.
                qemu.qmp().execute("system_reset");
                qemu.guest().awaitBoot(LIMIT);
                // Linux can't load the driver of a memory device again while memory is plugged.
                await().atMost(LIMIT).until(strict::isScriptDone);
                qemu.guest().run("rmmod " + driver);
                qemu.guest().run("load " + driver);
                await().atMost(LIMIT).until(strict::isScriptDone);
                qemu.qmp().execute("system_reset");
                qemu.guest().awaitBoot(LIMIT);
            }

            assertThat(strict.requirements(Verdict.FAIL)).as(strict.told()).containsExactly(KNOWN_FAULT);
            assertThat(strict.requirements(Verdict.PASS)).as(strict.told()).containsAll(KEPT);
        }
    }

    private static QemuCommand guest(GuestImage.Linux linux) {
        return QemuCommand.of(GuestImage.of(linux)).ram(RAM).driver("virtio_balloon");
    }

    private static void useBalloon(StrictRun strict, QemuCommand command) throws IOException {
        try (Qemu qemu = Qemu.start(command)) {
            await().atMost(LIMIT).until(strict::isScriptDone);
            stopAndContinue(qemu);
            qemu.guest().run("rmmod virtio_balloon");
            VhostUserBalloon.unplug(qemu);
        }
    }

    private static void useMemory(StrictRun strict, GuestImage.Linux linux, String properties) throws IOException {
        QemuCommand command = QemuCommand.of(GuestImage.of(linux))
                .ram(RAM)
                .driver("virtio_mem")
                .vhostUserMemory(strict.socket(), StrictRun.REGION, "id=mem0,bus=" + QemuCommand.PORT + properties);
        try (Qemu qemu = Qemu.start(command)) {
            await().atMost(LIMIT).until(strict::isScriptDone);
            stopAndContinue(qemu);
            qemu.guest().run("rmmod virtio_mem");
        }
    }

    private static void stopAndContinue(Qemu qemu) throws IOException {
        qemu.qmp().execute("stop");
        qemu.qmp().execute("cont");
    }
}
