package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RequestRefusedException;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.linux.EventFd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Poll;
import org.exomem.vhostuser.backend.FaultKind;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The rules that other back-ends are known to get wrong, one by one. */
class RulesThatBackEndsGetWrongTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    /** How long to look for something that must not come; nothing later is noticed. */
    private static final Duration QUIET = Duration.ofMillis(50);

    private static final Duration LONGER_THAN_NEEDS_RESET_WAITS = Duration.ofMillis(1500);
    private static final int NEEDS_RESET = 0x40;

    @TempDir
    Path folder;

    EchoBackEnd backEnd;
    EchoGuest guest;
    FrontEnd frontEnd;

    @BeforeEach
    void start() throws Exception {
        backEnd = new EchoBackEnd(folder.resolve("s"));
        attach(EchoGuest.EVERY_PROTOCOL_FEATURE);
    }

    private void attach(long protocolFeatures) throws Exception {
        guest = EchoGuest.attach(backEnd.connect(), EchoGuest.SPLIT, protocolFeatures);
        frontEnd = guest.frontEnd();
    }

    @AfterEach
    void end() {
        guest.close();
        backEnd.close();
    }

    @Test
    @Tag("VHU-MSG-2")
    @Tag("VHU-HDR-3")
    void everyRequestWithoutAReplyIsConfirmedWhenAsked() throws Exception {
        frontEnd.send(Request.SET_OWNER, Connection.VERSION | Connection.NEED_REPLY, Payload.none(), List.of());
        Reply reply = frontEnd.connection().receive();
        assertThat(reply.request()).isEqualTo(Request.SET_OWNER);
        assertThat(reply.flags()).isEqualTo(5);
        assertThat(reply.asLong()).isZero();
    }

    @Test
    @Tag("VHU-MSG-2")
    void noRequestWithoutAReplyIsConfirmedWhenNotAsked() throws Exception {
        frontEnd.send(Request.SET_OWNER, Connection.VERSION, Payload.none(), List.of());
        assertThat(frontEnd.getQueueNum()).isEqualTo(EchoDevice.QUEUES);
    }

    @Test
    @Tag("VHU-MSG-4")
    void noRequestIsConfirmedWithoutReplyAck() throws Exception {
        guest.close();
        attach(Protocol.MQ);
        frontEnd.send(Request.SET_OWNER, Connection.VERSION | Connection.NEED_REPLY, Payload.none(), List.of());
        assertThat(frontEnd.getQueueNum()).isEqualTo(EchoDevice.QUEUES);
    }

    @Test
    @Tag("VHU-RING-1")
    @Tag("VHU-RING-2")
    void aRingStartsWithItsKickDescriptorAndNotWithTheFirstKick() throws Exception {
        int id = guest.ring.add(guest.prepare(new byte[] {5}));
        guest.device.start(guest.ring, 0, false);
        assertThat(guest.ring.await(FrontEnd.LIMIT).id()).isEqualTo(id);
    }

    @Test
    @Tag("VHU-RING-4")
    @Tag("VHU-RING-5")
    @Tag("VHU-RING-6")
    void aKickBeforeTheEnablingIsNotLost() throws Exception {
        startWithoutEnabling();
        int id = guest.ring.add(guest.prepare(new byte[] {5}));
        guest.ring.kick();
        assertThat(frontEnd.getStatus()).isEqualTo(11);
        assertThat(guest.ring.callFd().drain()).isFalse();
        frontEnd.setVringEnable(0, true);
        assertThat(guest.ring.await(FrontEnd.LIMIT).id()).isEqualTo(id);
    }

    @Test
    @Tag("VHU-RING-4")
    void aDisabledRingIsNotProcessedUntilItIsEnabledAgain() throws Exception {
        guest.device.start();
        guest.assertEcho();
        frontEnd.setVringEnable(0, false);
        guest.ring.add(guest.prepare(new byte[] {5}));
        guest.ring.kick();
        assertNothingComesBack();
        frontEnd.setVringEnable(0, true);
        guest.ring.await(FrontEnd.LIMIT);
        guest.assertEcho();
    }

    @Test
    @Tag("VHU-FEAT-5")
    @Tag("VHU-RING-5")
    void featuresWithoutBit30EnableAllRings() throws Exception {
        frontEnd.setFeatures(EchoGuest.SPLIT & ~Features.PROTOCOL_FEATURES);
        startWithoutEnabling();
        guest.assertEcho();
    }

    @Test
    @Tag("VHU-FEAT-5")
    void featuresWithBit30DisableNoRingThatWasEnabledWithout() throws Exception {
        frontEnd.setFeatures(EchoGuest.SPLIT & ~Features.PROTOCOL_FEATURES);
        frontEnd.setFeatures(EchoGuest.SPLIT);
        startWithoutEnabling();
        guest.assertEcho();
    }

    @Test
    @Tag("VHU-FEAT-5")
    void featuresNeverDisableARing() throws Exception {
        guest.device.start();
        frontEnd.setFeatures(EchoGuest.SPLIT);
        guest.assertEcho();
        frontEnd.setFeatures(EchoGuest.SPLIT | Features.LOG_ALL);
        guest.assertEcho();
    }

    private void assertNothingComesBack() throws Exception {
        // The call for earlier chains may arrive only now, and has no meaning.
        if (Poll.readable(guest.ring.callFd().fd(), QUIET)) {
            guest.ring.callFd().drain();
        }
        assertThat(guest.ring.poll()).isNull();
    }

    private void startWithoutEnabling() throws Exception {
        frontEnd.setVringNum(0, guest.ring.size());
        frontEnd.setVringBase(0, 0);
        frontEnd.setVringAddr(guest.ring.addresses(false));
        frontEnd.setVringCall(0, guest.ring.callFd());
        frontEnd.setVringKick(0, guest.ring.kickFd());
    }

    @Test
    @Tag("VHU-RING-3")
    void stoppingARingCompletesWhatIsInFlight() throws Exception {
        guest.device.start();
        guest.holding.add(guest.prepare(new byte[] {5}));
        guest.holding.kick();
        await().atMost(LIMIT).until(() -> backEnd.device.heldChains == 1);
        assertThat(frontEnd.getVringBase(EchoDevice.HOLDING)).isEqualTo(1);
        assertThat(guest.holding.poll()).isNotNull();
        assertThat(backEnd.device.calls).endsWith("stopped 1 completing");
    }

    @Test
    @Tag("VHU-RING-3")
    void stoppedRingGoesOnAtItsPosition() throws Exception {
        guest.device.start();
        guest.assertEcho();
        int base = frontEnd.getVringBase(0);
        guest.ring.add(guest.prepare(new byte[] {5}));
        guest.ring.kick();
        assertNothingComesBack();
        guest.device.start(guest.ring, base, false);
        guest.ring.await(FrontEnd.LIMIT);
        guest.assertEcho();
    }

    @Test
    @Tag("VHU-RING-3")
    void baseOfARingThatNeverStartedIsAnswered() throws Exception {
        for (int index = 0; index < EchoDevice.QUEUES; index++) {
            frontEnd.setVringBase(index, 7);
            assertThat(frontEnd.getVringBase(index)).isEqualTo(7);
        }
    }

    @Test
    @Tag("VHU-BACK-2")
    void aConfigChangeAsksForNoAnswer() throws Exception {
        guest.device.start();
        backEnd.runOnLoop(() -> backEnd.device.changeConfig(9));
        Reply message = guest.device.channel().receive();
        assertThat(message.request()).isEqualTo(Request.BackEnd.CONFIG_CHANGE);
        assertThat(message.flags()).isEqualTo(Connection.VERSION);
    }

    @Test
    @Tag("VQ-EVT-3")
    void kicksForNothingAreHarmless() throws Exception {
        guest.device.start();
        for (int i = 0; i < 100; i++) {
            guest.ring.kickFd().signal();
        }
        assertNothingComesBack();
        guest.assertEcho();
        assertThat(backEnd.faults).isEmpty();
    }

    @Test
    @Tag("VHU-RING-10")
    @Tag("VHU-CFG-4")
    void noMessageIsSentWhileAllRingsAreStopped() throws Exception {
        guest.device.start();
        guest.device.stop();
        guest.ring.callFd().drain();
        backEnd.runOnLoop(() -> backEnd.device.changeConfig(9));
        assertThat(guest.device.channel().awaitReadable(QUIET)).isFalse();
        assertThat(guest.ring.callFd().drain()).isFalse();
        guest.device.start();
        assertThat(frontEnd.getConfig(0, 1)).containsExactly(9);
    }

    @Test
    void aConfigChangeIsToldWhileARingIsStarted() throws Exception {
        guest.device.start();
        backEnd.runOnLoop(() -> backEnd.device.changeConfig(9));
        guest.device.channel().await(Request.BackEnd.CONFIG_CHANGE);
        assertThat(frontEnd.getConfig(0, 1)).containsExactly(9);
    }

    @Test
    @Tag("VHU-CFG-4")
    void noConfigChangeIsToldBeforeTheDriverStartsTheDevice() throws Exception {
        backEnd.runOnLoop(() -> backEnd.device.changeConfig(9));
        assertThat(guest.device.channel().awaitReadable(QUIET)).isFalse();
    }

    @Test
    @Tag("VHU-CFG-4")
    void aConfigChangeDuringTheStopOfADeviceIsToldOnceAfterTheNextStart() throws Exception {
        guest.device.start();
        // QEMU's first step when it stops a device; it does not read the channel before the stop is complete.
        frontEnd.setVringEnable(0, false);
        backEnd.runOnLoop(() -> backEnd.device.changeConfig(9));
        frontEnd.setVringEnable(EchoDevice.HOLDING, false);
        backEnd.runOnLoop(() -> backEnd.device.changeConfig(10));
        assertThat(guest.device.channel().awaitReadable(QUIET)).isFalse();
        guest.device.stop();
        assertThat(guest.device.channel().awaitReadable(QUIET)).isFalse();
        guest.device.start();
        guest.device.channel().await(Request.BackEnd.CONFIG_CHANGE);
        assertThat(guest.device.channel().awaitReadable(QUIET)).isFalse();
    }

    @Test
    @Tag("VHU-CFG-4")
    void aConfigChangeIsNotToldUntilEveryStartedRingIsEnabled() throws Exception {
        guest.device.start();
        frontEnd.setVringEnable(0, false);
        frontEnd.setVringEnable(EchoDevice.HOLDING, false);
        backEnd.runOnLoop(() -> backEnd.device.changeConfig(9));
        frontEnd.setVringEnable(0, true);
        assertThat(guest.device.channel().awaitReadable(QUIET)).isFalse();
        frontEnd.setVringEnable(EchoDevice.HOLDING, true);
        guest.device.channel().await(Request.BackEnd.CONFIG_CHANGE);
    }

    @Test
    @Tag("VHU-CFG-4")
    void aConfigChangeIsToldAlthoughARingThatWasDisabledIsNeverStartedAgain() throws Exception {
        guest.device.start();
        frontEnd.setVringEnable(0, false);
        backEnd.runOnLoop(() -> backEnd.device.changeConfig(9));
        frontEnd.getVringBase(0);
        guest.device.channel().await(Request.BackEnd.CONFIG_CHANGE);
    }

    @Test
    @Tag("VHU-CFG-5")
    void aQueueThatItsDriverBrokeIsToldAsAConfigChangeWhileTheDeviceRuns() throws Exception {
        guest.device.start();
        breakQueue();
        assertThat(guest.device.channel().awaitReadable(QUIET))
                .as("a message at once meets a driver that resets its device")
                .isFalse();
        guest.device.channel().await(Request.BackEnd.CONFIG_CHANGE);
        assertThat(frontEnd.getStatus() & NEEDS_RESET).isNotZero();
    }

    @Test
    @Tag("VHU-CFG-7")
    void aQueueThatItsDriverBrokeIsNotToldAsAConfigChangeOnceTheDeviceIsReset() throws Exception {
        guest.device.start();
        breakQueue();
        frontEnd.resetDevice();
        guest.device.start(guest.holding, 0, false);
        assertThat(guest.device.channel().awaitReadable(LONGER_THAN_NEEDS_RESET_WAITS))
                .isFalse();
    }

    @Test
    @Tag("VHU-CFG-7")
    void aQueueThatItsDriverBrokeIsNotToldAsAConfigChangeWhileTheDeviceIsBeingStopped() throws Exception {
        guest.device.start();
        breakQueue();
        frontEnd.setVringEnable(0, false);
        assertThat(guest.device.channel().awaitReadable(LONGER_THAN_NEEDS_RESET_WAITS))
                .isFalse();
    }

    @Test
    @Tag("VHU-CFG-6")
    void aConfigChangeThatTheFrontEndReadsAfterAStopHasNoEffectAndIsToldAfterTheNextStart() throws Exception {
        guest.device.start();
        backEnd.runOnLoop(() -> backEnd.device.changeConfig(9));
        assertThat(guest.device.channel().awaitReadable(QUIET)).isTrue();
        guest.device.stop();
        guest.device.channel().await(Request.BackEnd.WITHDRAWN);
        guest.device.start();
        guest.device.channel().await(Request.BackEnd.CONFIG_CHANGE);
        assertThat(guest.device.channel().awaitReadable(QUIET)).isFalse();
    }

    @Test
    @Tag("VHU-CFG-6")
    void changesThatComeBeforeTheFrontEndReadsTheFirstAreOneMessage() throws Exception {
        guest.device.start();
        backEnd.runOnLoop(() -> backEnd.device.changeConfig(9));
        backEnd.runOnLoop(() -> backEnd.device.changeConfig(10));
        guest.device.channel().await(Request.BackEnd.CONFIG_CHANGE);
        assertThat(guest.device.channel().awaitReadable(QUIET)).isFalse();
    }

    private void breakQueue() throws Exception {
        guest.ram.putShort(guest.ring.driverArea() + 2, guest.ring.size() + 2);
        guest.ring.kickFd().signal();
        backEnd.awaitFault(FaultKind.DRIVER, "");
    }

    @Test
    @Tag("VHU-BACK-3")
    void fullBackEndChannelDoesNotStopTheDevice() throws Exception {
        guest.device.start();
        for (int i = 0; i < 20_000; i++) {
            int value = i;
            backEnd.loop.execute(() -> backEnd.device.changeConfig(value));
        }
        guest.assertEcho();
    }

    @Test
    void aChangeThatFoundNoRoomInTheChannelIsNotSentOnceAllRingsAreStopped() throws Exception {
        guest.device.start();
        for (int i = 0; i < 20_000; i++) {
            int value = i;
            backEnd.loop.execute(() -> backEnd.device.changeConfig(value));
        }
        guest.device.stop();
        // The message that was begun before is completed as one without effect.
        guest.device.channel().await(Request.BackEnd.WITHDRAWN);
        // Longer than the back-end waits before it tries again.
        assertThat(guest.device.channel().awaitReadable(Duration.ofMillis(150))).isFalse();
    }

    @Test
    void frontEndThatReadsNoRepliesIsDisconnected() throws Exception {
        assertThatThrownBy(() -> {
                    for (int i = 0; i < 100_000; i++) {
                        frontEnd.send(Request.GET_FEATURES, Connection.VERSION, Payload.none(), List.of());
                    }
                })
                .isInstanceOf(LinuxException.class);
        backEnd.awaitFault(FaultKind.FRONT_END, "does not read replies");
        backEnd.awaitDisconnected();
        guest.close();
        attach(EchoGuest.EVERY_PROTOCOL_FEATURE);
        guest.device.start();
        guest.assertEcho();
    }

    @Test
    @Tag("VHU-HDR-7")
    void aValueThatCannotBeGivenIsNotAnsweredByTheNumberOfAnError() throws Exception {
        guest.close();
        attach(Protocol.MQ | Protocol.REPLY_ACK);
        frontEnd.send(Request.GET_MAX_MEM_SLOTS, Connection.VERSION | Connection.NEED_REPLY, Payload.none(), List.of());
        assertThat(frontEnd.connection().awaitClosed()).isTrue();
    }

    @Test
    @Tag("VHU-RING-7")
    void enablingIsAcceptedForQueuesThatWereNeverSetUp() throws Exception {
        for (int index = 0; index < EchoDevice.QUEUES; index++) {
            frontEnd.setVringEnable(index, true);
            frontEnd.setVringEnable(index, false);
        }
        guest.device.start();
        guest.assertEcho();
    }

    @Test
    @Tag("VHU-RING-8")
    void replacedCallDescriptorsAreClosed() throws Exception {
        guest.device.start();
        HeldResources before = HeldResources.now();
        for (int i = 0; i < 100; i++) {
            try (EventFd other = new EventFd()) {
                frontEnd.setVringCall(0, other);
                frontEnd.setVringErr(0, other);
            }
            frontEnd.setVringKick(0, guest.ring.kickFd());
        }
        frontEnd.setVringCall(0, guest.ring.callFd());
        guest.assertEcho();
        assertThat(HeldResources.now().count("anon_inode:[eventfd]"))
                .isLessThanOrEqualTo(before.count("anon_inode:[eventfd]") + 1);
    }

    @Test
    @Tag("VHU-MEM-9")
    void memoryOutlivesAStopAndAStartOfTheDevice() throws Exception {
        guest.device.start();
        guest.assertEcho();
        List<Integer> bases = guest.device.stop();
        frontEnd.setStatus(0);
        frontEnd.setFeatures(EchoGuest.SPLIT);
        guest.device.start(guest.ring, bases.getFirst(), false);
        guest.assertEcho();
    }

    @Test
    @Tag("VHU-MEM-6")
    void theNumberOfSlotsDoesNotShrinkOverAReconnect() throws Exception {
        long slots = frontEnd.getMaxMemSlots();
        guest.close();
        attach(EchoGuest.EVERY_PROTOCOL_FEATURE);
        assertThat(frontEnd.getMaxMemSlots()).isGreaterThanOrEqualTo(slots);
    }

    @Test
    @Tag("VHU-PAY-4")
    void twoRegionsOfOneFileAreServedEachAtItsOffset() throws Exception {
        guest.close();
        backEnd.awaitDisconnected();
        try (GuestRam ram = GuestRam.withPciHole(4 << 20, 2 << 20);
                AttachedDevice device = AttachedDevice.attach(
                        backEnd.connect(), ram, EchoGuest.SPLIT, EchoGuest.EVERY_PROTOCOL_FEATURE)) {
            var ring = device.addRing(0, 16);
            device.start();
            long high = (1L << 32) + (1 << 20);
            ram.fill(high, 4096, (byte) 3);
            ring.transfer(List.of(Buffer.readable(high, 4096), Buffer.writable(high + 8192, 4096)), FrontEnd.LIMIT);
            assertThat(ram.getByte(high + 8192)).isEqualTo((byte) 3);
            assertThat(ram.getByte(high + 8192 + 4095)).isEqualTo((byte) 3);
        }
    }

    @Test
    @Tag("VHU-MEM-8")
    void withGpaAddressesTheUserAddressIsTheGuestAddress() throws Exception {
        guest.close();
        backEnd.awaitDisconnected();
        guest = EchoGuest.start(
                backEnd.connect(), EchoGuest.SPLIT, EchoGuest.EVERY_PROTOCOL_FEATURE | Protocol.GPA_ADDRESSES);
        assertThat(guest.device.wireRegions().getFirst().userAddress()).isZero();
        guest.assertEcho();
    }

    @Test
    @Tag("VHU-CFG-1")
    void aConfigReadHasExactlyTheSizeThatWasAskedFor() throws Exception {
        for (int offset = 0; offset < EchoDevice.CONFIG_SIZE; offset++) {
            for (int size = 1; size <= EchoDevice.CONFIG_SIZE - offset; size++) {
                assertThat(frontEnd.getConfig(offset, size)).hasSize(size);
            }
        }
    }

    @Test
    @Tag("VHU-FEAT-4")
    void inbandNotificationsWithoutTheirChannelAreNotAccepted() throws Exception {
        frontEnd.send(
                Request.SET_PROTOCOL_FEATURES,
                Connection.VERSION,
                Payload.number(Protocol.MQ | Protocol.INBAND_NOTIFICATIONS),
                List.of());
        assertThat(frontEnd.connection().awaitClosed()).isTrue();
    }

    @Test
    @Tag("VHU-FEAT-1")
    void protocolFeaturesAreNegotiatedBeforeAndWithoutTheFeatures() throws Exception {
        guest.close();
        backEnd.awaitDisconnected();
        try (FrontEnd early = backEnd.connect()) {
            assertThat(early.getProtocolFeatures() & Protocol.REPLY_ACK).isNotZero();
            early.setProtocolFeatures(Protocol.REPLY_ACK);
            early.setOwner();
        }
    }

    @Test
    @Tag("VHU-MEM-2")
    @Tag("VHU-MEM-3")
    void aRemovedRegionIsUnmappedAndItsFileClosed() throws Exception {
        HeldResources before = HeldResources.now();
        Region extra = new Region(1L << 40, 1 << 20, 1L << 41, 0);
        frontEnd.addMemoryRegion(extra, guest.ram.file().fd());
        assertThat(HeldResources.now()).isNotEqualTo(before);
        frontEnd.removeMemoryRegion(extra);
        before.assertSameNow();
        assertThatThrownBy(() -> frontEnd.removeMemoryRegion(extra)).isInstanceOf(RequestRefusedException.class);
    }
}
