package org.exomem.conform.checks.messages;

import java.io.IOException;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;

/** The form of a back-end's messages: header, byte order, and payloads of fixed layout. */
final class HeaderChecks {
    private static final int VERSION_BITS = 3;
    private static final int MOST_QUEUES = 1 << 16;
    private static final int RING_POSITION = 0x1234;

    static final List<Check> ALL = List.of(
            Check.of(
                    "vhost.message.1",
                    "Numbers in replies are in the byte order of the machine",
                    HeaderChecks::numbersAreInTheMachinesOrder),
            Check.of(
                    "vhost.message.3",
                    "A reply is a header of 12 bytes and its payload, and no bytes are between two replies",
                    HeaderChecks::repliesFollowOneAnother),
            Check.of("vhost.header.1", "Each reply has the reply bit", HeaderChecks::repliesHaveTheReplyBit),
            Check.of(
                    "vhost.header.2",
                    "Each reply has the number of the request that it answers",
                    HeaderChecks::repliesNameTheirRequest),
            Check.of("vhost.header.3", "Each reply has version 1", HeaderChecks::repliesHaveVersionOne),
            Check.of(
                    "vhost.header.5",
                    "The size in the header of a reply is the size of its payload",
                    HeaderChecks::sizesAreThoseOfThePayloads),
            Check.of("vhost.payload.1", "A number has 8 bytes", HeaderChecks::numbersHaveEightBytes),
            Check.of(
                    "vhost.payload.4",
                    "A ring state is an index and a number, 8 bytes",
                    HeaderChecks::aRingStateHasEightBytes),
            Check.of(
                    "vhost.payload.18",
                    "A config payload repeats offset and size, and has the bytes after the flags",
                    HeaderChecks::aConfigPayload));

    private HeaderChecks() {}

    private static void numbersAreInTheMachinesOrder(Trial trial) throws IOException {
        Session session = Query.session(trial);
        FrontEnd frontEnd = session.frontEnd();
        Reply first = Query.GET_FEATURES.ask(frontEnd);
        trial.expect(
                first.request() == Query.GET_FEATURES.request(),
                "the reply to request 1 has the request number 0x" + Integer.toHexString(first.request()));
        frontEnd.setVringBase(0, RING_POSITION);
        Reply base = Query.GET_VRING_BASE.ask(frontEnd);
        trial.expect(
                base.payload().length == 8, "GET_VRING_BASE was answered with " + base.payload().length + " bytes");
        int position = base.buffer().getInt(4);
        trial.expect(
                position == RING_POSITION,
                "a ring that was set to position 0x1234 is reported at 0x" + Integer.toHexString(position));
        if (session.hasProtocol(Protocol.MQ)) {
            long queues = Query.GET_QUEUE_NUM.ask(frontEnd).asLong();
            trial.expect(
                    queues > 0 && queues <= MOST_QUEUES,
                    "0x" + Long.toHexString(queues) + " is reported as the number of queues");
        }
    }

    private static void repliesFollowOneAnother(Trial trial) throws IOException {
        Session session = Query.session(trial);
        List<Query> queries = Query.allowed(session);
        for (int round = 0; round < 2; round++) {
            for (Query query : queries) {
                query.send(session.frontEnd(), 0);
            }
        }
        for (int round = 0; round < 2; round++) {
            for (Query query : queries) {
                Reply reply = Query.next(session.frontEnd());
                trial.expect(
                        reply.request() == query.request() && reply.payload().length >= Integer.BYTES,
                        "instead of the reply to " + query.name() + ", the back-end sent request " + reply.request()
                                + ", flags 0x" + Integer.toHexString(reply.flags()) + " and "
                                + reply.payload().length + " bytes of payload");
            }
        }
        expectNothingMore(trial, session.frontEnd());
    }

    /** Fails if the socket has unread data. */
    private static void expectNothingMore(Trial trial, FrontEnd frontEnd) throws IOException {
        if (frontEnd.connection().awaitReadable(trial.limits().quiet())) {
            Reply more = Query.next(frontEnd);
            throw new Unmet("after the last reply the back-end sent request " + more.request() + ", flags 0x"
                    + Integer.toHexString(more.flags()) + ", " + more.payload().length + " bytes");
        }
    }

    private static void repliesHaveTheReplyBit(Trial trial) throws IOException {
        for (Reply reply : Query.askAll(Query.session(trial))) {
            trial.expect(
                    (reply.flags() & Connection.REPLY) != 0,
                    "the reply to request " + reply.request() + " has the flags 0x" + Integer.toHexString(reply.flags())
                            + ", without the reply bit (4)");
        }
    }

    private static void repliesNameTheirRequest(Trial trial) throws IOException {
        Session session = Query.session(trial);
        for (Query query : Query.allowed(session)) {
            Reply reply = query.ask(session.frontEnd());
            trial.expect(
                    reply.request() == query.request(),
                    "the reply to " + query.name() + " (" + query.request() + ") has the request number "
                            + reply.request());
        }
    }

    private static void repliesHaveVersionOne(Trial trial) throws IOException {
        for (Reply reply : Query.askAll(Query.session(trial))) {
            trial.expect(
                    (reply.flags() & VERSION_BITS) == Connection.VERSION,
                    "the reply to request " + reply.request() + " has the flags 0x" + Integer.toHexString(reply.flags())
                            + ", which is version " + (reply.flags() & VERSION_BITS));
        }
    }

    private static void sizesAreThoseOfThePayloads(Trial trial) throws IOException {
        Session session = Query.session(trial);
        for (Query query : Query.allowed(session)) {
            // If a payload is longer or shorter than its header says, the next reply is not at its place.
            query.send(session.frontEnd(), 0);
            Query.GET_FEATURES.send(session.frontEnd(), 0);
            Reply reply = Query.next(session.frontEnd());
            Reply behind = Query.next(session.frontEnd());
            trial.expect(
                    behind.request() == Query.GET_FEATURES.request() && behind.payload().length == Long.BYTES,
                    "the header of the reply to " + query.name() + " states " + reply.payload().length
                            + " bytes of payload, but no reply to GET_FEATURES follows them");
        }
        expectNothingMore(trial, session.frontEnd());
    }

    private static void numbersHaveEightBytes(Trial trial) throws IOException {
        Session session = Query.session(trial);
        for (Query query : Query.allowed(session)) {
            if (query.isNumber()) {
                int size = query.ask(session.frontEnd()).payload().length;
                trial.expect(size == Long.BYTES, query.name() + " was answered with " + size + " bytes, not with 8");
            }
        }
    }

    private static void aRingStateHasEightBytes(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL);
        Reply reply = Query.GET_VRING_BASE.ask(session.frontEnd());
        int size = reply.payload().length;
        trial.expect(size == 8, "GET_VRING_BASE was answered with " + size + " bytes, not with 8");
        trial.expect(
                reply.buffer().getInt(0) == 0,
                "the ring state of ring 0 begins with index " + reply.buffer().getInt(0));
    }

    private static void aConfigPayload(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.CONFIG));
        Reply reply = Query.GET_CONFIG.ask(session.frontEnd());
        int size = reply.payload().length;
        trial.expect(
                size == Payload.CONFIG_HEADER_SIZE + 4,
                "GET_CONFIG of 4 bytes was answered with a payload of " + size + " bytes, not of 16");
        trial.expect(
                reply.buffer().getInt(0) == 0 && reply.buffer().getInt(4) == 4,
                "the answer to GET_CONFIG of 4 bytes at 0 states "
                        + reply.buffer().getInt(4) + " bytes at "
                        + reply.buffer().getInt(0));
    }
}
