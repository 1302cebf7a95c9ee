package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.linux.Fd;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A front-end that dies in the middle of a message, at every byte of every request. */
class CutShortMessagesTest {
    @TempDir
    static Path folder;

    static EchoBackEnd victim;
    static EchoBackEnd other;
    static EchoGuest bystander;

    @BeforeAll
    static void start() throws Exception {
        victim = new EchoBackEnd(folder.resolve("victim"));
        other = new EchoBackEnd(folder.resolve("other"));
        bystander = EchoGuest.start(other);
        EchoGuest.start(victim).close();
        victim.awaitDisconnected();
    }

    @AfterAll
    static void end() {
        bystander.close();
        other.close();
        victim.close();
    }

    static Stream<RightMessages.Right> requests() {
        return RightMessages.all().stream();
    }

    @ParameterizedTest(name = "{0}")
    @Tag("VHU-HDR-6")
    @MethodSource("requests")
    void messageCutShortLeaksNothing(RightMessages.Right right) throws Exception {
        HeldResources before = HeldResources.now();
        byte[] whole = Connection.encode(right.request(), Connection.VERSION, right.payload());
        for (int length = 1; length < whole.length; length++) {
            List<Fd> fds = right.fds().of(bystander);
            try (FrontEnd frontEnd = victim.connect()) {
                frontEnd.connection().sendBytes(Arrays.copyOf(whole, length), fds);
            } finally {
                fds.forEach(Fd::close);
            }
        }
        try (EchoGuest next = EchoGuest.start(victim)) {
            next.assertEcho();
        }
        victim.awaitDisconnected();
        bystander.assertEcho();
        before.assertSameNow();
        assertThat(other.faults).isEmpty();
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("requests")
    void messageMayArriveByteByByte(RightMessages.Right right) throws Exception {
        byte[] whole = Connection.encode(right.request(), Connection.VERSION | Connection.NEED_REPLY, right.payload());
        try (EchoGuest guest = EchoGuest.start(victim)) {
            for (int at = 0; at < whole.length; at++) {
                List<Fd> fds = at == 0 ? right.fds().of(guest) : List.of();
                guest.frontEnd().connection().sendBytes(new byte[] {whole[at]}, fds);
                fds.forEach(Fd::close);
            }
            var reply = guest.frontEnd().connection().receive();
            reply.fds().forEach(Fd::close);
            assertThat(reply.request()).isEqualTo(right.request());
        }
        victim.awaitDisconnected();
    }
}
