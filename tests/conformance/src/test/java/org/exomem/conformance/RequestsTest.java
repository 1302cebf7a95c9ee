package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.InflightArea;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RequestRefusedException;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.LateMapping;
import org.exomem.linux.SharedFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every valid request of spec/vhost-user.md, and the form of its answer. */
class RequestsTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    @TempDir
    Path folder;

    EchoBackEnd backEnd;
    EchoGuest guest;
    FrontEnd frontEnd;

    @BeforeEach
    void start() throws Exception {
        backEnd = new EchoBackEnd(folder.resolve("s"));
        guest = EchoGuest.start(backEnd);
        frontEnd = guest.frontEnd();
    }

    @AfterEach
    void end() {
        guest.close();
        backEnd.close();
    }

    @Test
    @Tag("VHU-FEAT-6")
    void offersTheFeaturesOfTheDeviceAndOfTheRings() throws Exception {
        assertThat(frontEnd.getFeatures())
                .isEqualTo(Features.VERSION_1
                        | Features.PROTOCOL_FEATURES
                        | Features.LOG_ALL
                        | Features.INDIRECT_DESC
                        | Features.EVENT_IDX
                        | Features.RING_PACKED
                        | Features.IN_ORDER
                        | 3);
    }

    @Test
    @Tag("VHU-FEAT-3")
    @Tag("VHU-PST-3")
    void offersExactlyTheProtocolFeaturesThatItServes() throws Exception {
        long pageFault = LateMapping.isPossible() ? Protocol.PAGEFAULT : 0;
        assertThat(frontEnd.getProtocolFeatures())
                .isEqualTo(EchoGuest.EVERY_PROTOCOL_FEATURE | Protocol.GPA_ADDRESSES | pageFault);
    }

    @Test
    void tellsTheDeviceWhatWasAcknowledged() {
        assertThat(backEnd.device.acknowledged).isEqualTo(EchoGuest.SPLIT);
    }

    @Test
    void tellsTheNumberOfQueues() throws Exception {
        assertThat(frontEnd.getQueueNum()).isEqualTo(EchoDevice.QUEUES);
    }

    @Test
    @Tag("VHU-MEM-6")
    void tellsTheCustomaryNumberOfMemorySlots() throws Exception {
        assertThat(frontEnd.getMaxMemSlots()).isEqualTo(509);
    }

    @Test
    @Tag("VHU-HDR-1")
    @Tag("VHU-HDR-3")
    @Tag("VHU-PAY-1")
    @Tag("VHU-MSG-3")
    void answersEveryNumberInEightBytesWithReplyFlagsOnly() throws Exception {
        for (int request : new int[] {
            Request.GET_FEATURES,
            Request.GET_PROTOCOL_FEATURES,
            Request.GET_QUEUE_NUM,
            Request.GET_MAX_MEM_SLOTS,
            Request.GET_STATUS
        }) {
            for (int flags : new int[] {Connection.VERSION, Connection.VERSION | Connection.NEED_REPLY}) {
                frontEnd.send(request, flags, Payload.none(), List.of());
                Reply reply = frontEnd.connection().receive();
                assertThat(reply.request()).isEqualTo(request);
                assertThat(reply.flags()).isEqualTo(5);
                assertThat(reply.payload()).hasSize(8);
                assertThat(reply.fds()).isEmpty();
            }
        }
        assertNothingMoreIsSaid();
    }

    @Test
    @Tag("VHU-OWN-1")
    void ownerRequestsAreAcceptedAndHaveNoEffect() throws Exception {
        frontEnd.setOwner();
        frontEnd.resetOwner();
        frontEnd.setVringEnable(0, true);
        guest.assertEcho();
    }

    @Test
    @Tag("VHU-PAY-7")
    @Tag("VHU-CFG-1")
    void readsAnyPartOfTheConfigSpace() throws Exception {
        assertThat(frontEnd.getConfig(0, EchoDevice.CONFIG_SIZE))
                .containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0);
        assertThat(frontEnd.getConfig(3, 2)).containsExactly(4, 5);
    }

    @Test
    @Tag("VHU-CFG-2")
    void writesWhatTheDriverMayWriteAndIgnoresTheRest() throws Exception {
        byte[] all = new byte[EchoDevice.CONFIG_SIZE];
        Arrays.fill(all, (byte) 9);
        frontEnd.setConfig(0, all);
        assertThat(frontEnd.getConfig(0, EchoDevice.CONFIG_SIZE))
                .containsExactly(1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9, 9, 9, 9);
    }

    @Test
    @Tag("VHU-CFG-3")
    void bytesBehindTheConfigSpaceReadAsZerosAndAreNotWritten() throws Exception {
        frontEnd.setConfig(14, new byte[] {5, 6, 7, 8});
        frontEnd.setConfig(200, new byte[] {9});
        assertThat(frontEnd.getConfig(14, 6)).containsExactly(5, 6, 0, 0, 0, 0);
        assertThat(frontEnd.getConfig(200, 56)).containsOnly(0);
    }

    @Test
    @Tag("VHU-CFG-1")
    @Tag("VHU-CFG-3")
    @Tag("VHU-HDR-7")
    void anImpossibleConfigReadIsAnsweredWithNoBytes() {
        assertThatThrownBy(() -> frontEnd.getConfig(250, 7)).isInstanceOf(RequestRefusedException.class);
        assertThatThrownBy(() -> frontEnd.getConfig(0, 0)).isInstanceOf(RequestRefusedException.class);
    }

    @Test
    @Tag("VHU-STAT-1")
    void keepsTheStatusUntilItIsReset() throws Exception {
        assertThat(frontEnd.getStatus()).isEqualTo(15);
        frontEnd.setStatus(0);
        assertThat(frontEnd.getStatus()).isEqualTo(0);
        assertThat(backEnd.device.calls).endsWith("stopped 0", "stopped 1", "reset");
    }

    @Test
    @Tag("VHU-RST-1")
    void resettingTheDeviceStopsAndDisablesTheRingsAndKeepsTheConnection() throws Exception {
        frontEnd.setConfig(8, new byte[] {7});
        frontEnd.resetDevice();
        assertThat(backEnd.device.calls).endsWith("stopped 0", "stopped 1", "reset");
        assertThat(frontEnd.getConfig(8, 1)).containsExactly(0);
        guest.device.start(guest.ring, guest.ring.base(), false);
        guest.assertEcho();
    }

    @Test
    @Tag("VHU-PAY-2")
    @Tag("VHU-RING-3")
    void stoppingARingTellsWhereItStands() throws Exception {
        guest.assertEcho();
        guest.assertEcho();
        assertThat(frontEnd.getVringBase(0)).isEqualTo(2);
    }

    @Test
    @Tag("VHU-MEM-1")
    @Tag("VHU-PAY-4")
    void acceptsAWholeMemoryTable() throws Exception {
        List<Region> regions = guest.ram.regions();
        frontEnd.setMemTable(regions, List.of(guest.ram.file().fd()));
        guest.assertEcho();
    }

    @Test
    @Tag("VHU-MEM-3")
    @Tag("VHU-PAY-5")
    void removesAndAddsARegionByItsAddresses() throws Exception {
        Region extra = new Region(1L << 40, 1 << 20, 1L << 41, 0);
        frontEnd.addMemoryRegion(extra, guest.ram.file().fd());
        frontEnd.removeMemoryRegion(new Region(extra.guestAddress(), extra.size(), extra.userAddress(), 12345));
        guest.assertEcho();
    }

    @Test
    @Tag("VHU-MEM-4")
    void closesADescriptorThatComesWithARemoval() throws Exception {
        Region extra = new Region(1L << 40, 1 << 20, 1L << 41, 0);
        HeldResources before = HeldResources.now();
        frontEnd.addMemoryRegion(extra, guest.ram.file().fd());
        frontEnd.command(
                Request.REM_MEM_REG,
                Payload.region(extra),
                List.of(guest.ram.file().fd()));
        before.assertSameNow();
    }

    @Test
    @Tag("VHU-LOG-2")
    @Tag("VHU-PAY-6")
    void answersTheLogBaseAskedOrNot() throws Exception {
        try (SharedFile log = SharedFile.memfd("log", 4096)) {
            frontEnd.send(Request.SET_LOG_BASE, Connection.VERSION, Payload.log(4096, 0), List.of(log.fd()));
            assertThat(frontEnd.connection().receive().request()).isEqualTo(Request.SET_LOG_BASE);
            frontEnd.send(
                    Request.SET_LOG_BASE,
                    Connection.VERSION | Connection.NEED_REPLY,
                    Payload.log(4096, 0),
                    List.of(log.fd()));
            assertThat(frontEnd.connection().receive().request()).isEqualTo(Request.SET_LOG_BASE);
            assertNothingMoreIsSaid();
        }
    }

    @Test
    @Tag("VHU-LOG-7")
    void takesALogNotifier() throws Exception {
        try (EventFd event = new EventFd()) {
            frontEnd.setLogFd(event);
        }
        guest.assertEcho();
    }

    @Test
    void takesAnErrorNotifierAndAnInvalidDescriptor() throws Exception {
        try (EventFd event = new EventFd()) {
            frontEnd.setVringErr(0, event);
        }
        frontEnd.command(Request.SET_VRING_ERR, Payload.number(1 << 8));
        guest.assertEcho();
    }

    @Test
    @Tag("VHU-RING-9")
    @Tag("VHU-PAY-10")
    void servesAPolledRing() throws Exception {
        frontEnd.getVringBase(0);
        frontEnd.setVringKickPolled(0);
        guest.assertEcho();
    }

    @Test
    @Tag("VHU-RING-9")
    void doesNotCallADriverThatPolls() throws Exception {
        frontEnd.setVringCallPolled(0);
        guest.ring.callFd().drain();
        guest.ring.add(guest.prepare(new byte[] {1}));
        guest.ring.kick();
        await().atMost(LIMIT).until(() -> guest.ring.poll() != null);
        assertThat(guest.ring.callFd().drain()).isFalse();
    }

    @Test
    @Tag("VHU-INF-1")
    @Tag("VHU-PAY-8")
    void makesInflightMemoryThatItTakesBack() throws Exception {
        try (FrontEnd.Inflight inflight = frontEnd.getInflightFd(2, EchoGuest.RING_SIZE)) {
            InflightArea area = inflight.area();
            assertThat(area.queues()).isEqualTo(2);
            assertThat(area.queueSize()).isEqualTo(EchoGuest.RING_SIZE);
            assertThat(area.size()).isGreaterThanOrEqualTo(2L * (16 + 16 * EchoGuest.RING_SIZE));
            assertThat(inflight.file().size()).isGreaterThanOrEqualTo(area.offset() + area.size());
            assertThatThrownBy(() -> frontEnd.setInflightFd(inflight)).isInstanceOf(RequestRefusedException.class);
            guest.device.stop();
            frontEnd.setInflightFd(inflight);
            guest.device.start();
        }
        guest.assertEcho();
    }

    @Test
    @Tag("VHU-BACK-1")
    void newBackEndChannelReplacesTheOldOne() throws Exception {
        HeldResources before = HeldResources.now();
        try (var second = frontEnd.openBackEndChannel()) {
            assertThat(guest.device.channel().connection().awaitClosed()).isTrue();
            backEnd.runOnLoop(() -> backEnd.device.changeConfig(77));
            second.await(Request.BackEnd.CONFIG_CHANGE);
        }
        assertThat(HeldResources.now().count("socket:")).isEqualTo(before.count("socket:"));
    }

    @Test
    @Tag("VHU-MSG-1")
    void requestsThatNeedAFeatureAreRefusedWithoutIt() throws Exception {
        guest.close();
        backEnd.awaitDisconnected();
        guest = EchoGuest.attach(backEnd.connect(), EchoGuest.SPLIT, Protocol.REPLY_ACK | Protocol.CONFIGURE_MEM_SLOTS);
        try (EventFd event = new EventFd()) {
            assertRefusedPolitely(Request.RESET_DEVICE, Payload.none(), List.of());
            assertRefusedPolitely(Request.SET_STATUS, Payload.number(1), List.of());
            assertRefusedPolitely(Request.SET_CONFIG, Payload.config(8, 1, 0, new byte[1]), List.of());
            assertRefusedPolitely(Request.VRING_KICK, Payload.ring(0, 0), List.of());
            assertRefusedPolitely(Request.SET_BACKEND_REQ_FD, Payload.none(), List.of(event.fd()));
        }
        guest.device.start();
        guest.assertEcho();
    }

    private void assertRefusedPolitely(int request, byte[] payload, List<Fd> fds) {
        assertThatThrownBy(() -> guest.frontEnd().command(request, payload, fds))
                .isInstanceOf(RequestRefusedException.class);
    }

    private void assertNothingMoreIsSaid() throws Exception {
        // Requests are answered in order: unread data would come before this answer.
        assertThat(frontEnd.getQueueNum()).isEqualTo(EchoDevice.QUEUES);
        assertThat(frontEnd.connection().awaitReadable(Duration.ZERO)).isFalse();
    }
}
