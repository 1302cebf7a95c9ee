package org.exomem.conform.checks.messages;

import java.io.IOException;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.InflightArea;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.Fd;
import org.exomem.linux.SharedFile;

/** Which requests are answered. */
final class ReplyChecks {
    private static final int QUEUE_SIZE = 64;
    private static final int UNKNOWN_REQUEST = 0x7f;
    private static final int LOG_SIZE = 1 << 20;

    static final List<Check> ALL = List.of(
            Check.of(
                    "vhost.reply.1",
                    "GET_FEATURES is answered once, with need-reply and without",
                    trial -> answered(trial, Query.GET_FEATURES)),
            Check.of(
                    "vhost.reply.2",
                    "GET_PROTOCOL_FEATURES is answered once, with need-reply and without",
                    trial -> answered(trial, Query.GET_PROTOCOL_FEATURES)),
            Check.of(
                    "vhost.reply.3",
                    "GET_VRING_BASE is answered once, with need-reply and without",
                    trial -> answered(trial, Query.GET_VRING_BASE)),
            Check.of(
                    "vhost.reply.4",
                    "SET_LOG_BASE is answered once, with need-reply and without",
                    ReplyChecks::setLogBase),
            Check.of(
                    "vhost.reply.5",
                    "GET_INFLIGHT_FD is answered once, with need-reply and without",
                    ReplyChecks::getInflightFd),
            Check.of(
                    "vhost.reply.6",
                    "Requests without a reply of their own are answered only with need-reply",
                    ReplyChecks::noReplyUnlessAsked),
            Check.of(
                    "vhost.reply.8",
                    "With REPLY_ACK, each request with need-reply is answered with one number",
                    ReplyChecks::oneNumberIfAsked),
            Check.of(
                    "vhost.reply.9",
                    "With REPLY_ACK, success is reported as 0, and an unknown request is not reported as a success",
                    ReplyChecks::zeroIsSuccess),
            Check.of(
                    "vhost.reply.11",
                    "Need-reply does not change replies that are sent anyway",
                    ReplyChecks::needReplyChangesNoAnswer));

    private ReplyChecks() {}

    private static Session acknowledging(Trial trial) throws IOException {
        return trial.session(Wish.USUAL.withProtocol(Protocol.REPLY_ACK).wantingProtocol(Protocol.CONFIGURE_MEM_SLOTS));
    }

    /** The flags with which each request is sent: with need-reply only if REPLY_ACK gives it a meaning. */
    private static List<Integer> bothFlags(Session session) {
        return session.hasProtocol(Protocol.REPLY_ACK) ? List.of(0, Connection.NEED_REPLY) : List.of(0);
    }

    private static String text(int flags) {
        return flags == 0 ? "" : " with need-reply";
    }

    /** Fails unless exactly one reply has come: the answer to a GET_FEATURES that is sent afterwards must come next. */
    private static Reply onlyReply(Trial trial, FrontEnd frontEnd, int request, String what) throws IOException {
        Query.GET_FEATURES.send(frontEnd, 0);
        Reply reply = frontEnd.connection().receive();
        reply.fds().forEach(trial::closeLater);
        trial.expect(
                reply.request() == request,
                what + " was not answered: the next message of the back-end answers request " + reply.request());
        int next = Query.next(frontEnd).request();
        trial.expect(
                next == Query.GET_FEATURES.request(),
                what + " was answered twice, or other bytes follow its reply: request " + next);
        return reply;
    }

    private static void answered(Trial trial, Query query) throws IOException {
        Session session = trial.session(Wish.USUAL);
        if (query == Query.GET_PROTOCOL_FEATURES) {
            trial.requireFeatures(session.frontEnd().getFeatures(), Features.PROTOCOL_FEATURES);
        }
        for (int flags : bothFlags(session)) {
            query.send(session.frontEnd(), flags);
            onlyReply(trial, session.frontEnd(), query.request(), query.name() + text(flags));
            // Any further message would come before this one.
            trial.expect(
                    Query.GET_VRING_BASE.ask(session.frontEnd()).request() == Query.GET_VRING_BASE.request(),
                    query.name() + text(flags) + " was answered more than once");
        }
    }

    private static void setLogBase(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.LOG_SHMFD));
        SharedFile log = trial.closeLater(SharedFile.memfd("log", LOG_SIZE));
        for (int flags : bothFlags(session)) {
            session.frontEnd()
                    .send(
                            Request.SET_LOG_BASE,
                            Connection.VERSION | flags,
                            Payload.log(LOG_SIZE, 0),
                            List.of(log.fd()));
            onlyReply(trial, session.frontEnd(), Request.SET_LOG_BASE, "SET_LOG_BASE" + text(flags));
        }
    }

    private static void getInflightFd(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.INFLIGHT_SHMFD));
        for (int flags : bothFlags(session)) {
            session.frontEnd()
                    .send(
                            Request.GET_INFLIGHT_FD,
                            Connection.VERSION | flags,
                            Payload.inflight(new InflightArea(0, 0, 1, QUEUE_SIZE)),
                            List.of());
            onlyReply(trial, session.frontEnd(), Request.GET_INFLIGHT_FD, "GET_INFLIGHT_FD" + text(flags));
        }
    }

    /** A request without an answer of its own that every back-end serves. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Order(String name, int request, byte[] payload, List<Fd> fds) {
        void send(FrontEnd frontEnd, int flags) throws IOException {
            frontEnd.send(request, Connection.VERSION | flags, payload, fds);
        }
    }

    /** Without SET_OWNER, which is for a new connection: some back-ends refuse a second one. */
    private static List<Order> orders(Session session) {
        return List.of(
                new Order(
                        "SET_FEATURES",
                        Request.SET_FEATURES,
                        Payload.number(session.device().features()),
                        List.of()),
                new Order("SET_VRING_NUM", Request.SET_VRING_NUM, Payload.ring(0, QUEUE_SIZE), List.of()),
                new Order("SET_VRING_BASE", Request.SET_VRING_BASE, Payload.ring(0, 0), List.of()));
    }

    private static void noReplyUnlessAsked(Trial trial) throws IOException {
        for (Wish wish : List.of(Wish.USUAL.withoutProtocol(Protocol.REPLY_ACK), Wish.USUAL)) {
            Session session = trial.session(wish);
            FrontEnd frontEnd = session.frontEnd();
            for (Order order : orders(session)) {
                order.send(frontEnd, 0);
                int next = Query.GET_FEATURES.ask(frontEnd).request();
                trial.expect(
                        next == Query.GET_FEATURES.request(),
                        order.name() + " without need-reply was followed by a reply to request " + next);
            }
            session.device().close();
        }
    }

    private static void oneNumberIfAsked(Trial trial) throws IOException {
        Session session = acknowledging(trial);
        for (Order order : orders(session)) {
            order.send(session.frontEnd(), Connection.NEED_REPLY);
            Reply reply =
                    onlyReply(trial, session.frontEnd(), order.request(), order.name() + text(Connection.NEED_REPLY));
            trial.expect(
                    reply.payload().length == Long.BYTES,
                    order.name() + " with need-reply was answered with " + reply.payload().length
                            + " bytes, not with one number");
        }
    }

    private static void zeroIsSuccess(Trial trial) throws IOException {
        Session session = acknowledging(trial);
        for (Order order : orders(session)) {
            order.send(session.frontEnd(), Connection.NEED_REPLY);
            Reply reply = Query.next(session.frontEnd());
            trial.expect(
                    reply.request() == order.request() && reply.asLong() == 0,
                    order.name() + " with need-reply was answered with a reply to request " + reply.request()
                            + ", number " + reply.asLong());
        }
        trial.expectRefused(
                session.attempt(UNKNOWN_REQUEST, Payload.none(), List.of()),
                "a request with number " + UNKNOWN_REQUEST);
    }

    private static void needReplyChangesNoAnswer(Trial trial) throws IOException {
        Session session = acknowledging(trial);
        for (Query query : Query.allowed(session)) {
            Reply without = query.ask(session.frontEnd());
            query.send(session.frontEnd(), Connection.NEED_REPLY);
            Query.GET_FEATURES.send(session.frontEnd(), 0);
            Reply with = Query.next(session.frontEnd());
            trial.expect(
                    with.request() == query.request()
                            // The document does not say whether the reply repeats the need-reply flag.
                            && (with.flags() & ~Connection.NEED_REPLY) == without.flags()
                            && with.payload().length == without.payload().length,
                    query.name() + " is answered with request " + without.request() + ", flags 0x"
                            + Integer.toHexString(without.flags()) + ", " + without.payload().length
                            + " bytes, and with need-reply with request " + with.request() + ", flags 0x"
                            + Integer.toHexString(with.flags()) + ", " + with.payload().length + " bytes");
            int next = Query.next(session.frontEnd()).request();
            trial.expect(
                    next == Query.GET_FEATURES.request(),
                    query.name() + " with need-reply is answered twice: the second reply has request " + next);
        }
    }
}
