package org.exomem.conform.checks.features;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.exomem.conform.check.Check;
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
import org.exomem.conformance.guest.Used;
import org.exomem.linux.Poll;

/** The device uses negotiated features, and no others. */
final class UseChecks {
    private static final int RING_SIZE = 64;
    private static final int REQUESTS = 8;

    static final List<Check> ALL = List.of(
            Check.of(
                    "vhost.feature.2",
                    "Need-reply is not answered before REPLY_ACK is negotiated",
                    UseChecks::noReplyBeforeItIsNegotiated),
            Check.of(
                    "vhost.feature.12",
                    "Need-reply is answered while REPLY_ACK is negotiated, and not after SET_PROTOCOL_FEATURES"
                            + " without it",
                    UseChecks::protocolFeaturesAreThoseThatWereSet),
            Check.of(
                    "vhost.feature.5",
                    "Without EVENT_IDX, the device sends a call for each request, whatever used_event contains",
                    UseChecks::noEventIndexUnlessNegotiated),
            Check.of(
                    "reserved.18",
                    "With IN_ORDER, requests are used in the order in which they were made available",
                    UseChecks::inOrder));

    private UseChecks() {}

    private static FrontEnd withReplyAck(Trial trial) throws IOException {
        FrontEnd frontEnd = trial.connect();
        trial.requireFeatures(frontEnd.getFeatures(), Features.PROTOCOL_FEATURES);
        trial.requireProtocol(frontEnd.getProtocolFeatures(), Protocol.REPLY_ACK);
        frontEnd.setOwner();
        return frontEnd;
    }

    /**
     * The request that the back-end's next message answers, after SET_VRING_NUM with need-reply and GET_FEATURES.
     * SET_OWNER is unsuitable: it is for a new connection, and some back-ends refuse a second one.
     */
    private static int firstAnswered(FrontEnd frontEnd) throws IOException {
        frontEnd.send(
                Request.SET_VRING_NUM,
                Connection.VERSION | Connection.NEED_REPLY,
                Payload.ring(0, RING_SIZE),
                List.of());
        frontEnd.send(Request.GET_FEATURES, Connection.VERSION, Payload.none(), List.of());
        Reply first = frontEnd.connection().receive();
        if (first.request() == Request.SET_VRING_NUM) {
            frontEnd.connection().receive();
        }
        return first.request();
    }

    private static void noReplyBeforeItIsNegotiated(Trial trial) throws IOException {
        int answered = firstAnswered(withReplyAck(trial));
        trial.expect(
                answered == Request.GET_FEATURES,
                "SET_VRING_NUM with need-reply was answered though REPLY_ACK was not negotiated");
    }

    private static void protocolFeaturesAreThoseThatWereSet(Trial trial) throws IOException {
        FrontEnd frontEnd = withReplyAck(trial);
        long offered = frontEnd.getProtocolFeatures();
        frontEnd.setProtocolFeatures(offered & (Protocol.MQ | Protocol.REPLY_ACK));
        int answered = firstAnswered(frontEnd);
        trial.expect(
                answered == Request.SET_VRING_NUM,
                "SET_VRING_NUM with need-reply was not answered though REPLY_ACK was negotiated: the next message"
                        + " answers request "
                        + answered);
        // Not through setProtocolFeatures: the document does not say whether this request itself is already
        // acknowledged.
        frontEnd.send(
                Request.SET_PROTOCOL_FEATURES, Connection.VERSION, Payload.number(offered & Protocol.MQ), List.of());
        answered = firstAnswered(frontEnd);
        trial.expect(
                answered == Request.GET_FEATURES,
                "SET_VRING_NUM with need-reply was answered after SET_PROTOCOL_FEATURES without REPLY_ACK");
    }

    private static void noEventIndexUnlessNegotiated(Trial trial) throws IOException {
        Session session = trial.running(Wish.USUAL.without(Features.EVENT_IDX));
        for (int i = 0; i < REQUESTS; i++) {
            session.ring().add(session.request().prepare());
            session.ring().kick();
            Used used = null;
            while (used == null) {
                trial.expect(
                        Poll.readable(
                                session.ring().callFd().fd(), trial.limits().answer()),
                        "the device sent no call for request " + i + ", though EVENT_IDX was not negotiated");
                session.ring().callFd().drain();
                used = session.ring().poll();
            }
            session.verify(used);
        }
    }

    private static void inOrder(Trial trial) throws IOException {
        Session session = trial.running(Wish.USUAL.with(Features.IN_ORDER));
        List<Integer> added = new ArrayList<>();
        List<Integer> came = new ArrayList<>();
        for (int i = 0; i < REQUESTS; i++) {
            added.add(session.ring().add(session.request().prepare()));
        }
        session.ring().kick();
        for (int i = 0; i < REQUESTS; i++) {
            came.add(session.ring().await(trial.limits().answer()).id());
        }
        trial.expect(
                came.equals(added),
                "requests were made available in the order " + added + ", but used in the order " + came);
    }
}
