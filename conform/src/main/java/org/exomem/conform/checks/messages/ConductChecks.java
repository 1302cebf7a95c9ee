package org.exomem.conform.checks.messages;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Outcome;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.conformance.guest.Used;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.PipeEnd;
import org.exomem.linux.Poll;

/** Notifications, errors, owner, number of queues. */
final class ConductChecks {
    private static final int CHAINS = 3;
    private static final int KICKS = 5;
    private static final int UNKNOWN_REQUEST = 0x7f;
    private static final int NOTIFICATION_SIZE = 8;
    private static final int MOST_READ = 64;

    static final List<Check> ALL = List.of(
            Check.of(
                    "vhost.event.1",
                    "The number in a kick has no meaning: one kick for three requests, and five kicks for one",
                    ConductChecks::kicksAreNotCounted),
            Check.of("vhost.event.3", "A call is a write of 8 bytes", ConductChecks::callsHaveEightBytes),
            Check.of(
                    "vhost.error.2",
                    "After an error, for which the connection may be closed, a new connection is served",
                    ConductChecks::newConnectionAfterAnError),
            Check.of(
                    "vhost.error.3",
                    "The connection stays open for all requests of a usual session",
                    ConductChecks::connectionStays),
            Check.of(
                    "vhost.owner.4",
                    "RESET_OWNER is ignored, or disables the rings until they are enabled again",
                    ConductChecks::resetOwner),
            Check.of(
                    "vhost.queue.1",
                    "Only a back-end that has protocol features answers GET_QUEUE_NUM",
                    ConductChecks::queueNumberNeedsProtocolFeatures),
            Check.of("vhost.queue.5", "MQ is offered", ConductChecks::mqIsOffered),
            Check.of(
                    "vhost.endian.2",
                    "With CROSS_ENDIAN, both byte orders are accepted for a ring",
                    ConductChecks::bothByteOrders));

    private ConductChecks() {}

    private static void kicksAreNotCounted(Trial trial) throws IOException {
        Session session = trial.running(Wish.USUAL);
        RingDriver ring = session.ring();
        for (int i = 0; i < CHAINS; i++) {
            ring.add(session.request().prepare());
        }
        ring.kickFd().signal();
        for (int i = 0; i < CHAINS; i++) {
            session.verify(ring.await(trial.limits().answer()));
        }
        for (int i = 0; i < KICKS; i++) {
            ring.kickFd().signal();
        }
        session.serve();
        trial.expect(ring.poll() == null, "the device used a chain that was not made available");
    }

    private static void callsHaveEightBytes(Trial trial) throws IOException {
        Session session = trial.running(Wish.USUAL);
        PipeEnd.Pipe pipe = PipeEnd.pipe();
        Fd readEnd = trial.closeLater(pipe.readEnd());
        Outcome outcome;
        try (Fd writeEnd = pipe.writeEnd()) {
            outcome = session.attempt(
                    Request.SET_VRING_CALL, Payload.number(session.ring().index()), List.of(writeEnd));
        }
        if (outcome instanceof Outcome.Accepted) {
            expectEightBytes(trial, session, readEnd);
            return;
        }
        trial.transcript().say("the back-end does not accept a pipe for calls");
        try (EventFd event = new EventFd()) {
            Session other = outcome instanceof Outcome.ClosedConnection ? trial.running(Wish.USUAL) : session;
            other.frontEnd().setVringCall(other.ring().index(), event);
            other.ring().add(other.request().prepare());
            other.ring().kick();
            // An eventfd accepts writes of 8 bytes only.
            trial.expect(
                    Poll.readable(event.fd(), trial.limits().answer()), "the device sent no call for a used buffer");
        }
    }

    private static void expectEightBytes(Trial trial, Session session, Fd readEnd) throws IOException {
        session.ring().add(session.request().prepare());
        session.ring().kick();
        trial.expect(Poll.readable(readEnd, trial.limits().answer()), "the device sent no call for a used buffer");
        PipeEnd end = PipeEnd.adopt(readEnd);
        if (end == null) {
            throw new IllegalStateException("not a pipe");
        }
        try (Arena arena = Arena.ofConfined()) {
            int size = end.read(arena.allocate(MOST_READ));
            trial.expect(
                    size % NOTIFICATION_SIZE == 0, "a call wrote " + size + " bytes into the descriptor, not 8 bytes");
        }
    }

    private static void newConnectionAfterAnError(Trial trial) throws IOException {
        try (FrontEnd frontEnd = trial.connect()) {
            frontEnd.getFeatures();
            Outcome outcome = trial.attempt(frontEnd, UNKNOWN_REQUEST, Payload.none(), List.of());
            trial.transcript().say("a request with number " + UNKNOWN_REQUEST + ": " + outcome);
        }
        Session next = trial.session(Wish.USUAL);
        if (trial.sample().isPresent()) {
            next.start().serve();
        }
    }

    private static void connectionStays(Trial trial) throws IOException {
        Session session = Query.session(trial);
        FrontEnd frontEnd = session.frontEnd();
        for (int round = 0; round < 2; round++) {
            Query.askAll(session);
            frontEnd.setFeatures(session.device().features());
            frontEnd.setVringNum(0, 64);
            frontEnd.setVringBase(0, 0);
            frontEnd.setVringCallPolled(0);
            try (EventFd event = new EventFd()) {
                frontEnd.setVringErr(0, event);
            }
            if (session.has(Features.PROTOCOL_FEATURES)) {
                frontEnd.setVringEnable(0, true);
                frontEnd.setVringEnable(0, false);
            }
        }
        session.settle();
    }

    private static void resetOwner(Trial trial) throws IOException {
        Session session = trial.running(Wish.USUAL);
        session.serve();
        session.frontEnd().resetOwner();
        session.settle();
        RingDriver ring = session.ring();
        int id = ring.add(session.request().prepare());
        ring.kick();
        if (trial.soon(() -> ring.poll() != null)) {
            trial.transcript().say("RESET_OWNER was ignored");
            session.serve();
            return;
        }
        trial.requireFeatures(session.device().features(), Features.PROTOCOL_FEATURES);
        for (RingDriver each : session.device().rings()) {
            session.frontEnd().setVringEnable(each.index(), true);
        }
        Used used = ring.await(trial.limits().answer());
        trial.expect(used.id() == id, "chain " + used.id() + " was used, but " + id + " was made available");
        session.verify(used);
        trial.transcript().say("RESET_OWNER disabled the ring");
    }

    private static void queueNumberNeedsProtocolFeatures(Trial trial) throws IOException {
        FrontEnd frontEnd = trial.connect();
        long offered = frontEnd.getFeatures();
        if ((offered & Features.PROTOCOL_FEATURES) != 0) {
            // Other checks test whether the back-end answers GET_PROTOCOL_FEATURES.
            return;
        }
        trial.expectRefused(
                trial.attempt(frontEnd, Request.GET_QUEUE_NUM, Payload.none(), List.of()),
                "GET_QUEUE_NUM of a back-end that does not offer bit 30");
    }

    private static void mqIsOffered(Trial trial) throws IOException {
        FrontEnd frontEnd = trial.connect();
        trial.requireFeatures(frontEnd.getFeatures(), Features.PROTOCOL_FEATURES);
        long offered = frontEnd.getProtocolFeatures();
        trial.expect((offered & Protocol.MQ) != 0, "MQ (bit 0) is not among the protocol features");
    }

    private static void bothByteOrders(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.CROSS_ENDIAN));
        session.frontEnd().command(Request.SET_VRING_ENDIAN, Payload.ring(0, 1));
        session.frontEnd().command(Request.SET_VRING_ENDIAN, Payload.ring(0, 0));
        session.settle();
    }
}
