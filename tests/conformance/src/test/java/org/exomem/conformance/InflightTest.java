package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.RingDriver;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The back-end's chains in flight survive its death: the next back-end submits them again (VHU-INF). */
class InflightTest {
    private static final int CHAINS = 5;
    private static final long REQUESTS = 1 << 20;
    private static final long RESPONSES = 2 << 20;
    private static final long SLOT = 4096;

    @TempDir
    Path folder;

    @ParameterizedTest(name = "features {0}")
    @Tag("VHU-INF-5")
    @ValueSource(longs = {EchoGuest.SPLIT, EchoGuest.PACKED, EchoGuest.SPLIT | Features.IN_ORDER})
    void aKilledBackEndSubmitsAgainWhatItHadInFlight(long features) throws Exception {
        Path socket = folder.resolve("vm");
        EchoProcess first = new EchoProcess(socket);
        try (EchoGuest guest = EchoGuest.attach(FrontEnd.connect(socket), features, EchoGuest.EVERY_PROTOCOL_FEATURE)) {
            try (FrontEnd.Inflight inflight = guest.frontEnd().getInflightFd(2, EchoGuest.RING_SIZE)) {
                guest.frontEnd().setInflightFd(inflight);
                guest.device.start();
                // One round returns before, so that the second process finds a ring that is in use.
                List<Integer> done = submit(guest, 1);
                awaitHeld(first, 1);
                first.release();
                assertThat(guest.holding.await(FrontEnd.LIMIT).id()).isEqualTo(done.getFirst());

                List<Integer> ids = submit(guest, CHAINS);
                awaitHeld(first, CHAINS);
                int base = usedPosition(guest.holding, features, CHAINS);
                first.close();
                assertThat(guest.frontEnd().connection().awaitClosed()).isTrue();

                try (EchoProcess second = new EchoProcess(socket);
                        AttachedDevice again = AttachedDevice.attach(
                                FrontEnd.connect(socket), guest.ram, features, EchoGuest.EVERY_PROTOCOL_FEATURE)) {
                    again.frontEnd().setInflightFd(inflight);
                    again.start(guest.holding, base, false);
                    awaitHeld(second, CHAINS);
                    ids.addAll(submit(guest, 1));
                    awaitHeld(second, CHAINS + 1);
                    second.release();
                    List<Integer> returned = new ArrayList<>();
                    for (int i = 0; i < ids.size(); i++) {
                        returned.add(guest.holding.await(FrontEnd.LIMIT).id());
                    }
                    assertThat(returned).as("in the order of submission").isEqualTo(ids);
                    assertResponses(guest);
                    assertThat(guest.holding.poll()).isNull();
                }
            }
        } finally {
            first.close();
        }
    }

    /**
     * The position that a front-end restores for a back-end that could not report it: as QEMU does, from the used
     * chains. Of the ring's first descriptors, one chain of two is done.
     */
    private static int usedPosition(RingDriver ring, long features, int chains) {
        assertThat(ring.outstanding()).isEqualTo(chains);
        if ((features & Features.RING_PACKED) == 0) {
            return 1;
        }
        int used = 2 | (1 << 15);
        return used | (used << 16);
    }

    private static List<Integer> submit(EchoGuest guest, int count) {
        List<Integer> ids = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            guest.ram.fill(REQUESTS + i * SLOT, SLOT, (byte) (i + 1));
            ids.add(guest.holding.add(
                    List.of(Buffer.readable(REQUESTS + i * SLOT, SLOT), Buffer.writable(RESPONSES + i * SLOT, SLOT))));
        }
        guest.holding.kick();
        return ids;
    }

    private static void assertResponses(EchoGuest guest) {
        for (int i = 0; i < CHAINS; i++) {
            assertThat(guest.ram.getByte(RESPONSES + i * SLOT + SLOT - 1)).isEqualTo((byte) (i + 1));
        }
    }

    private static void awaitHeld(EchoProcess process, int count) {
        await().atMost(EchoBackEnd.LIMIT)
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(5))
                .until(() -> process.held() == count);
    }

    @Test
    @Tag("VHU-INF-4")
    void completedBuffersAreNotProcessedAgain() throws Exception {
        try (EchoBackEnd backEnd = new EchoBackEnd(folder.resolve("vm"));
                EchoGuest guest =
                        EchoGuest.attach(backEnd.connect(), EchoGuest.SPLIT, EchoGuest.EVERY_PROTOCOL_FEATURE);
                FrontEnd.Inflight inflight = guest.frontEnd().getInflightFd(2, EchoGuest.RING_SIZE)) {
            guest.frontEnd().setInflightFd(inflight);
            guest.device.start();
            for (int i = 0; i < 3 * EchoGuest.RING_SIZE; i++) {
                guest.assertEcho();
            }
            int echoed = backEnd.device.echoed;
            guest.frontEnd().connection().shutdown();
            backEnd.awaitDisconnected();
            try (AttachedDevice again = AttachedDevice.attach(
                    backEnd.connect(), guest.ram, EchoGuest.SPLIT, EchoGuest.EVERY_PROTOCOL_FEATURE)) {
                again.frontEnd().setInflightFd(inflight);
                again.start(guest.ring, guest.ring.base(), false);
                guest.assertEcho();
                assertThat(backEnd.device.echoed).isEqualTo(echoed + 1);
            }
        }
    }
}
