package org.exomem.conform.checks.messages;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.Fd;

/**
 * A request that has an answer of its own, and needs only a session.
 *
 * @param needs mask of the protocol feature that it needs; 0 for none
 * @param isNumber whether the answer is one number
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record Query(String name, int request, byte[] payload, long needs, boolean isNumber) {
    static final Query GET_FEATURES = number("GET_FEATURES", Request.GET_FEATURES, 0);
    static final Query GET_PROTOCOL_FEATURES = number("GET_PROTOCOL_FEATURES", Request.GET_PROTOCOL_FEATURES, 0);
    static final Query GET_QUEUE_NUM = number("GET_QUEUE_NUM", Request.GET_QUEUE_NUM, Protocol.MQ);
    static final Query GET_MAX_MEM_SLOTS =
            number("GET_MAX_MEM_SLOTS", Request.GET_MAX_MEM_SLOTS, Protocol.CONFIGURE_MEM_SLOTS);
    static final Query GET_STATUS = number("GET_STATUS", Request.GET_STATUS, Protocol.STATUS);
    static final Query GET_VRING_BASE =
            new Query("GET_VRING_BASE", Request.GET_VRING_BASE, Payload.ring(0, 0), 0, false);
    static final Query GET_CONFIG =
            new Query("GET_CONFIG", Request.GET_CONFIG, Payload.config(0, 4, 0, new byte[4]), Protocol.CONFIG, false);

    private static final List<Query> ALL = List.of(
            GET_FEATURES,
            GET_PROTOCOL_FEATURES,
            GET_QUEUE_NUM,
            GET_MAX_MEM_SLOTS,
            GET_STATUS,
            GET_CONFIG,
            GET_VRING_BASE);

    private static Query number(String name, int request, long needs) {
        return new Query(name, request, Payload.none(), needs, true);
    }

    /** A session that allows as many queries as possible. */
    static Session session(Trial trial) throws IOException {
        return trial.session(Wish.USUAL.wantingProtocol(Protocol.CONFIGURE_MEM_SLOTS));
    }

    /** The queries that are allowed in a session. */
    static List<Query> allowed(Session session) {
        boolean hasProtocol = session.has(Features.PROTOCOL_FEATURES);
        return ALL.stream()
                .filter(query -> session.hasProtocol(query.needs))
                .filter(query -> hasProtocol || query.request != Request.GET_PROTOCOL_FEATURES)
                .toList();
    }

    /** Sends the query only. */
    void send(FrontEnd frontEnd, int flags) throws IOException {
        frontEnd.send(request, Connection.VERSION | flags, payload, List.of());
    }

    /** Sends the query, and returns the back-end's next message unchecked. */
    Reply ask(FrontEnd frontEnd) throws IOException {
        send(frontEnd, 0);
        return next(frontEnd);
    }

    /** The back-end's next message, unchecked and without its descriptors. */
    static Reply next(FrontEnd frontEnd) throws IOException {
        Reply reply = frontEnd.connection().receive();
        reply.fds().forEach(Fd::close);
        return reply;
    }

    /** The answers to all queries that are allowed, in the order of the queries. */
    static List<Reply> askAll(Session session) throws IOException {
        List<Reply> replies = new ArrayList<>();
        for (Query query : allowed(session)) {
            replies.add(query.ask(session.frontEnd()));
        }
        return replies;
    }
}
