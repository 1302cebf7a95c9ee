package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.Buffer;
import org.exomem.linux.Errno;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.UnixSockets;
import org.exomem.vhostuser.backend.Endpoint;
import org.exomem.vhostuser.backend.EndpointListener;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.backend.FaultKind;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Many VMs in one process; front-ends that stay silent, disconnect, connect again, or take their memory away. */
class ManyMachinesTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    @TempDir
    Path folder;

    @Test
    void manySocketsAreServedAtOnce() throws Exception {
        HeldResources before = HeldResources.now();
        List<AutoCloseable> all = new ArrayList<>();
        try {
            List<EchoGuest> guests = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                EchoBackEnd backEnd = new EchoBackEnd(folder.resolve("vm" + i));
                all.add(backEnd);
                EchoGuest guest = EchoGuest.start(backEnd);
                all.add(guest);
                guests.add(guest);
            }
            for (int round = 0; round < 5; round++) {
                for (EchoGuest guest : guests) {
                    guest.assertEcho();
                }
            }
        } finally {
            for (AutoCloseable one : all.reversed()) {
                one.close();
            }
        }
        before.assertSameNow();
    }

    @Test
    void silentFrontEndDoesNotDelayOtherVms() throws Exception {
        try (EchoBackEnd silentOnes = new EchoBackEnd(folder.resolve("silent"));
                EchoBackEnd other = new EchoBackEnd(folder.resolve("other"));
                EchoGuest bystander = EchoGuest.start(other)) {
            HeldResources before = HeldResources.now();
            try (FrontEnd silent = silentOnes.connect()) {
                await().atMost(LIMIT).until(silentOnes::isConnected);
                bystander.assertEcho();
                silentOnes.runOnLoop(() -> silentOnes.device.changeConfig(1));
                assertThat(silent.connection().awaitReadable(Duration.ofMillis(20)))
                        .isFalse();
            }
            silentOnes.awaitDisconnected();
            before.assertSameNow();
            try (EchoGuest next = EchoGuest.start(silentOnes)) {
                next.assertEcho();
            }
        }
    }

    @Test
    @Tag("VHU-PRG-2")
    void frontEndMayReconnect() throws Exception {
        try (EchoBackEnd backEnd = new EchoBackEnd(folder.resolve("vm"))) {
            EchoGuest.start(backEnd).close();
            backEnd.awaitDisconnected();
            HeldResources before = HeldResources.now();
            for (int i = 0; i < 50; i++) {
                try (EchoGuest guest = EchoGuest.start(backEnd)) {
                    guest.assertEcho();
                    guest.frontEnd().setConfig(8, new byte[] {(byte) i});
                }
                backEnd.awaitDisconnected();
                try (EchoGuest guest = EchoGuest.start(backEnd)) {
                    assertThat(guest.frontEnd().getConfig(8, 1)).containsExactly(i);
                }
                backEnd.awaitDisconnected();
            }
            assertThat(backEnd.connections.get()).isEqualTo(101);
            assertThat(backEnd.departures).hasSize(101);
            assertThat(backEnd.faults).isEmpty();
            before.assertSameNow();
        }
    }

    @Test
    void secondFrontEndIsRefusedAndTheFirstGoesOn() throws Exception {
        try (EchoBackEnd backEnd = new EchoBackEnd(folder.resolve("vm"));
                EchoGuest first = EchoGuest.start(backEnd);
                FrontEnd second = backEnd.connect()) {
            assertThat(second.connection().awaitClosed()).isTrue();
            first.assertEcho();
            backEnd.awaitFault(FaultKind.FRONT_END, "rejected");
        }
    }

    @Test
    void silentFrontEndIsReplacedByOneThatSendsRequests() throws Exception {
        try (EchoBackEnd backEnd = new EchoBackEnd(folder.resolve("vm"));
                FrontEnd silent = backEnd.connect();
                EchoGuest second = EchoGuest.start(backEnd)) {
            second.assertEcho();
            assertThat(silent.connection().awaitClosed()).isTrue();
        }
    }

    @Test
    void frontEndThatReconnectsAtOnceIsNotRefused() throws Exception {
        try (EchoBackEnd backEnd = new EchoBackEnd(folder.resolve("vm"))) {
            for (int i = 0; i < 100; i++) {
                FrontEnd leaving = backEnd.connect();
                leaving.getFeatures();
                // The back-end is busy while one disconnects and the other connects, and finds both at once.
                CountDownLatch busy = new CountDownLatch(1);
                CountDownLatch bothHappened = new CountDownLatch(1);
                backEnd.loop.execute(() -> {
                    busy.countDown();
                    awaitUninterrupted(bothHappened);
                });
                busy.await();
                try (FrontEnd returning = backEnd.connect()) {
                    leaving.close();
                    bothHappened.countDown();
                    assertThat(returning.getFeatures()).isNotZero();
                }
            }
            assertThat(backEnd.faults).isEmpty();
        }
    }

    @Test
    void frontEndThatReconnectsIsServedWhenAllIsReadThatItHadSentBefore() throws Exception {
        try (EchoBackEnd backEnd = new EchoBackEnd(folder.resolve("vm"))) {
            for (int i = 0; i < 20; i++) {
                FrontEnd leaving = backEnd.connect();
                leaving.getFeatures();
                CountDownLatch busy = new CountDownLatch(1);
                CountDownLatch bothHappened = new CountDownLatch(1);
                backEnd.loop.execute(() -> {
                    busy.countDown();
                    awaitUninterrupted(bothHappened);
                });
                busy.await();
                // More messages than the back-end reads at once.
                for (int message = 0; message < 150; message++) {
                    leaving.send(Request.SET_OWNER, Connection.VERSION, Payload.none(), List.of());
                }
                try (FrontEnd returning = backEnd.connect()) {
                    leaving.close();
                    bothHappened.countDown();
                    assertThat(returning.getFeatures()).isNotZero();
                }
            }
            assertThat(backEnd.faults).isEmpty();
        }
    }

    @Test
    void allQueuesAreStoppedBeforeADisconnectIsReported() throws Exception {
        try (EchoBackEnd backEnd = new EchoBackEnd(folder.resolve("vm"))) {
            EchoGuest.start(backEnd).close();
            backEnd.awaitDisconnected();
            assertThat(backEnd.device.calls)
                    .containsExactly("connected", "started 0", "started 1", "stopped 0", "stopped 1", "disconnected");
        }
    }

    @Test
    @Tag("VHU-MEM-10")
    void truncatedRingMemoryIsAnErrorOfThatVmOnly() throws Exception {
        truncateAndKick(0);
    }

    @Test
    @Tag("VHU-MEM-10")
    void truncatedBufferMemoryIsAnErrorOfThatVmOnly() throws Exception {
        truncateAndKick(1 << 20);
    }

    private void truncateAndKick(long size) throws Exception {
        HeldResources before = HeldResources.now();
        try (EchoBackEnd victim = new EchoBackEnd(folder.resolve("victim"));
                EchoBackEnd other = new EchoBackEnd(folder.resolve("other"));
                EchoGuest bystander = EchoGuest.start(other)) {
            try (EchoGuest guest = EchoGuest.start(victim)) {
                guest.assertEcho();
                guest.ring.add(List.of(Buffer.readable(2 << 20, 64), Buffer.writable(3 << 20, 64)));
                guest.ram.file().truncate(size);
                guest.ring.kickFd().signal();
                await().atMost(LIMIT).until(() -> !victim.faults.isEmpty());
                assertThat(victim.faults).noneMatch(fault -> fault.kind() == FaultKind.HOST);
                bystander.assertEcho();
            }
            victim.awaitDisconnected();
            try (EchoGuest next = EchoGuest.start(victim)) {
                next.assertEcho();
            }
            bystander.assertEcho();
            assertThat(other.faults).isEmpty();
        }
        before.assertSameNow();
    }

    @Test
    void socketInUseIsNotReplaced() throws Exception {
        try (EchoBackEnd first = new EchoBackEnd(folder.resolve("vm"))) {
            assertThatThrownBy(() -> new EchoBackEnd(first.socket))
                    .isInstanceOfSatisfying(
                            LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EADDRINUSE));
            EchoGuest.start(first).close();
        }
    }

    @Test
    void staleSocketIsReplacedAndRemovedAtTheEnd() throws Exception {
        Path socket = folder.resolve("vm");
        UnixSockets.listen(socket, 1).close();
        assertThat(socket).exists();
        try (EchoBackEnd backEnd = new EchoBackEnd(socket);
                EchoGuest guest = EchoGuest.start(backEnd)) {
            guest.assertEcho();
        }
        assertThat(Files.exists(socket)).isFalse();
    }

    @Test
    void anInheritedConnectionIsServed() throws Exception {
        List<Fd> pair = UnixSockets.pair();
        EchoDevice device = new EchoDevice();
        Told told = new Told();
        try (EventLoop loop = new EventLoop("inherited");
                Endpoint endpoint = Endpoint.inherit(pair.get(0), device, loop, told);
                EchoGuest guest = EchoGuest.start(
                        new FrontEnd(pair.get(1), FrontEnd.LIMIT), EchoGuest.SPLIT, EchoGuest.EVERY_PROTOCOL_FEATURE)) {
            guest.assertEcho();
            assertThat(loop.submit(endpoint::isConnected).get()).isTrue();
        }
    }

    @Test
    @Tag("VHU-PRG-4")
    void endOfAnInheritedConnectionIsReportedAsFinal() throws Exception {
        List<Fd> pair = UnixSockets.pair();
        CountDownLatch noMore = new CountDownLatch(1);
        EndpointListener listener = new Told() {
            @Override
            public void noFrontEndCanCome() {
                noMore.countDown();
            }
        };
        try (EventLoop loop = new EventLoop("inherited");
                Endpoint _ = Endpoint.inherit(pair.get(0), new EchoDevice(), loop, listener)) {
            EchoGuest.start(
                            new FrontEnd(pair.get(1), FrontEnd.LIMIT),
                            EchoGuest.SPLIT,
                            EchoGuest.EVERY_PROTOCOL_FEATURE)
                    .close();
            assertThat(noMore.await(LIMIT.toMillis(), TimeUnit.MILLISECONDS)).isTrue();
        }
    }

    @Test
    @Tag("VHU-PRG-3")
    void socketOfAnotherProcessAtTheSamePathIsLeftAlone() throws Exception {
        Path socket = folder.resolve("vm");
        EchoBackEnd first = new EchoBackEnd(socket);
        Files.delete(socket);
        try (EchoBackEnd successor = new EchoBackEnd(socket)) {
            first.close();
            try (EchoGuest guest = EchoGuest.start(successor)) {
                guest.assertEcho();
            }
        }
        assertThat(socket).doesNotExist();
    }

    @Test
    void anInheritedListeningSocketIsServedAgainAndAgain() throws Exception {
        Path socket = folder.resolve("vm");
        Fd listening = UnixSockets.listen(socket, 4);
        try (EventLoop loop = new EventLoop("inherited");
                Endpoint endpoint = Endpoint.inherit(listening, new EchoDevice(), loop, new Told())) {
            for (int i = 0; i < 3; i++) {
                try (EchoGuest guest =
                        EchoGuest.start(FrontEnd.connect(socket), EchoGuest.SPLIT, EchoGuest.EVERY_PROTOCOL_FEATURE)) {
                    guest.assertEcho();
                    assertThat(loop.submit(endpoint::isConnected).get()).isTrue();
                }
            }
        }
    }

    @Test
    void aBackEndThatConnectsWaitsForItsFrontEndAndReturns() throws Exception {
        Path socket = folder.resolve("vm");
        try (EventLoop loop = new EventLoop("connecting");
                Endpoint endpoint = Endpoint.connect(socket, new EchoDevice(), loop, new Told())) {
            assertThat(loop.submit(endpoint::isConnected).get()).isFalse();
            try (Fd listening = UnixSockets.listen(socket, 4)) {
                for (int i = 0; i < 3; i++) {
                    try (EchoGuest guest = EchoGuest.start(
                            FrontEnd.accept(listening), EchoGuest.SPLIT, EchoGuest.EVERY_PROTOCOL_FEATURE)) {
                        guest.assertEcho();
                    }
                }
            }
        }
    }

    private static void awaitUninterrupted(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** A listener whose calls do not matter. */
    private static class Told implements EndpointListener {
        @Override
        public void connected() {}

        @Override
        public void disconnected(String reason) {}

        @Override
        public void fault(FaultKind kind, String message) {}
    }
}
