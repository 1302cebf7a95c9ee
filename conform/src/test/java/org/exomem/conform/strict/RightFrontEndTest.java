package org.exomem.conform.strict;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.LongStream;
import org.exomem.conform.report.TerminalReport;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.strict.scene.Offer;
import org.exomem.conform.strict.serve.Provocation;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.reference.Catalogue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The test front-end and drivers make no faults, and do all that a strict device wants of them. */
class RightFrontEndTest {
    private static final long MEMORY = 48 << 20;
    /** Features for stopped rings or logs have tests of their own. */
    private static final long PROTOCOL = ~(Protocol.GPA_ADDRESSES | Protocol.INBAND_NOTIFICATIONS);

    private static final long NOT_A_DRIVERS = Features.LOG_ALL | Features.SR_IOV | Offer.UNDEFINED;

    @TempDir
    Path folder;

    static LongStream rings() {
        return LongStream.of(
                0,
                Features.EVENT_IDX,
                Features.RING_PACKED,
                Features.RING_PACKED | Features.EVENT_IDX,
                Features.IN_ORDER);
    }

    private RunReport serve(DeviceType type, long rings) throws Exception {
        Offer offer = Offer.of(type);
        long features = offer.features() & ~Features.EVENT_IDX | rings;
        try (WatchedDevice device =
                        new WatchedDevice(folder.resolve("s"), offer.withFeatures(features), Provocation.NONE, 1);
                GuestRam ram = GuestRam.ofSize(MEMORY);
                AttachedDevice attached = AttachedDevice.attach(
                        FrontEnd.connect(folder.resolve("s")), ram, features & ~NOT_A_DRIVERS, PROTOCOL)) {
            if (type == DeviceType.MEM) {
                RightDriver.mem(attached, device::isScriptDone);
            } else {
                RightDriver.balloon(attached, device::isScriptDone);
            }
            attached.close();
            return device.report();
        }
    }

    private static void requireGood(RunReport report) {
        assertThat(report.results())
                .filteredOn(result -> !result.verdict().isGood())
                .map(result -> TerminalReport.failure(result, Catalogue.load()))
                .isEmpty();
        assertThat(report.notes()).noneMatch(note -> note.contains("did not happen"));
    }

    @ParameterizedTest(name = "features 0x{0}")
    @MethodSource("rings")
    void aBalloonsDriverDoesAllThatIsWantedAndNothingWrong(long rings) throws Exception {
        RunReport report = serve(DeviceType.BALLOON, rings);
        requireGood(report);
        assertThat(report.results())
                .filteredOn(result -> result.verdict() == Verdict.PASS)
                .map(result -> result.check().requirement())
                .contains(
                        "balloon.pages.1",
                        "balloon.pages.7",
                        "balloon.pages.9",
                        "balloon.pages.11",
                        "balloon.stats.3",
                        "balloon.hint.2",
                        "balloon.hint.6",
                        "balloon.poison.2",
                        "balloon.report.2",
                        "balloon.report.3",
                        "vhost.status.1",
                        "vhost.channel.10");
    }

    @ParameterizedTest(name = "features 0x{0}")
    @MethodSource("rings")
    void aMemoryDevicesDriverDoesAllThatIsWantedAndNothingWrong(long rings) throws Exception {
        RunReport report = serve(DeviceType.MEM, rings);
        requireGood(report);
        assertThat(report.results())
                .filteredOn(result -> result.verdict() == Verdict.PASS)
                .map(result -> result.check().requirement())
                .contains("mem.config.1", "mem.init.1", "mem.block.1", "mem.block.8", "reserved.5");
    }

    /** Transfers that only a migration needs: state goes both ways. */
    @Test
    void stateIsTransferredRightly() throws Exception {
        Offer offer = Offer.of(DeviceType.BALLOON);
        try (WatchedDevice device = new WatchedDevice(folder.resolve("s"), offer, Provocation.NONE, 1);
                GuestRam ram = GuestRam.ofSize(MEMORY);
                AttachedDevice attached = AttachedDevice.attach(
                        FrontEnd.connect(folder.resolve("s")), ram, offer.features() & ~NOT_A_DRIVERS, PROTOCOL)) {
            attached.frontEnd().loadDeviceState(attached.frontEnd().saveDeviceState());
            attached.close();
            requireGood(device.report());
            assertThat(device.requirements(Verdict.PASS))
                    .containsAll(List.of("vhost.state.4", "vhost.state.6", "vhost.state.8", "vhost.state.14"));
        }
    }
}
