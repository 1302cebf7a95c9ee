package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MessageSocketTest {
    private final Arena arena = Arena.ofShared();
    private final MemorySegment bytes = arena.allocate(64, 8);
    private final List<Fd> arrived = new ArrayList<>();
    private MessageSocket near = closedSocket();
    private MessageSocket far = closedSocket();

    private static MessageSocket closedSocket() {
        return new MessageSocket(new Fd(Integer.MAX_VALUE));
    }

    @BeforeEach
    void connect() throws Exception {
        List<Fd> pair = UnixSockets.pair();
        near = new MessageSocket(pair.get(0));
        far = new MessageSocket(pair.get(1));
    }

    @AfterEach
    void close() {
        near.close();
        far.close();
        arrived.forEach(Fd::close);
        arena.close();
    }

    @Test
    void bytesAndDescriptorsArriveTogether() throws Exception {
        bytes.set(JAVA_LONG, 0, 0x1122334455667788L);
        try (EventFd one = new EventFd();
                EventFd two = new EventFd()) {
            near.send(bytes.asSlice(0, 8), List.of(one.fd(), two.fd()), 1000);
            MemorySegment received = arena.allocate(16, 8);
            assertThat(far.receive(received, arrived)).isEqualTo(8);
            assertThat(received.get(JAVA_LONG, 0)).isEqualTo(0x1122334455667788L);
            assertThat(arrived).hasSize(2).allMatch(fd -> fd.description().equals("anon_inode:[eventfd]"));
        }
    }

    @Test
    void senderSeesWhenThePeerHasReadAll() throws Exception {
        assertThat(near.isAllRead()).isTrue();
        near.send(bytes.asSlice(0, 1), List.of(), 0);
        assertThat(near.isAllRead()).isFalse();
        assertThat(far.receive(bytes, arrived)).isEqualTo(1);
        assertThat(near.isAllRead()).isTrue();
    }

    @Test
    void nothingIsThereUntilSomethingWasSent() throws Exception {
        assertThat(far.receive(bytes, arrived)).isEqualTo(MessageSocket.WOULD_BLOCK);
    }

    @Test
    void aClosedPeerReadsAsZeroBytes() throws Exception {
        near.close();
        assertThat(far.receive(bytes, arrived)).isZero();
        assertThatThrownBy(() -> far.send(bytes, List.of(), 1000))
                .isInstanceOfSatisfying(
                        LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EPIPE));
    }

    @Test
    void aPeerThatDoesNotReadIsGivenUp() {
        assertThatThrownBy(() -> {
                    while (true) {
                        near.send(bytes, List.of(), 10);
                    }
                })
                .isInstanceOfSatisfying(
                        LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.EAGAIN));
    }

    @Test
    void moreDescriptorsThanThereIsRoomForAreRefusedAndClosed() throws Exception {
        List<EventFd> many = new ArrayList<>();
        try {
            for (int i = 0; i < MessageSocket.MAX_FDS; i++) {
                many.add(new EventFd());
            }
            List<Fd> most = many.stream().map(EventFd::fd).toList();
            near.send(bytes, most, 1000);
            assertThat(far.receive(bytes, arrived)).isEqualTo(64);
            assertThat(arrived).hasSize(MessageSocket.MAX_FDS);
            List<Fd> tooMany = IntStream.rangeClosed(0, MessageSocket.MAX_FDS)
                    .mapToObj(i -> most.getFirst())
                    .toList();
            assertThatThrownBy(() -> near.send(bytes, tooMany, 1000)).isInstanceOf(IllegalArgumentException.class);
        } finally {
            many.forEach(EventFd::close);
        }
    }

    @Test
    void whoListensIsKnown(@TempDir Path folder) throws Exception {
        Path path = folder.resolve("s");
        try (Fd listening = UnixSockets.listen(path, 1);
                Fd connected = UnixSockets.connectNow(path)) {
            assertThat(UnixSockets.roleOf(listening)).isEqualTo(UnixSockets.Role.LISTENING);
            assertThat(UnixSockets.roleOf(connected)).isEqualTo(UnixSockets.Role.CONNECTED);
            assertThat(UnixSockets.peer(connected))
                    .isEqualTo((int) ProcessHandle.current().pid());
        }
    }

    @Test
    void aStaleSocketRefusesAndAPathThatIsTooLongIsNamed(@TempDir Path folder) throws Exception {
        Path path = folder.resolve("s");
        UnixSockets.listen(path, 1).close();
        assertThatThrownBy(() -> UnixSockets.connect(path))
                .isInstanceOfSatisfying(
                        LinuxException.class, e -> assertThat(e.errno()).isEqualTo(Errno.ECONNREFUSED));
        Path tooLong = folder.resolve("x".repeat(120));
        assertThatThrownBy(() -> UnixSockets.listen(tooLong, 1)).hasMessageContaining("at most 107 bytes");
    }
}
