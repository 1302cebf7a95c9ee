package org.exomem.conform.checks.optional;

import java.io.IOException;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.linux.Fd;

/** In-band notifications: kicks, calls and errors as messages. */
final class InbandChecks {
    private static final int NO_DESCRIPTOR = 0xffff;
    private static final int ENTRIES = 4;

    static final List<Check> ALL = List.of(
            Check.of(
                    "vhost.inband.5",
                    "INBAND_NOTIFICATIONS without BACKEND_REQ and REPLY_ACK ends the connection",
                    InbandChecks::needsTheOthers),
            Check.of(
                            "vhost.channel.request.4",
                            "The payload of BACKEND_VRING_CALL is a ring state with the ring's index",
                            trial -> expectRing(trial, call(trial)))
                    .and("vhost.inband.6"),
            Check.of(
                    "vhost.inband.7",
                    "The number in BACKEND_VRING_CALL is 0",
                    trial -> expectNumberZero(trial, call(trial))),
            Check.of(
                    "vhost.inband.4",
                    "BACKEND_VRING_CALL has need-reply",
                    trial -> trial.expect(
                            (call(trial).flags() & Connection.NEED_REPLY) != 0,
                            "the back-end sent BACKEND_VRING_CALL without need-reply")),
            Check.of(
                            "vhost.channel.request.5",
                            "The payload of BACKEND_VRING_ERR is a ring state with the ring's index",
                            trial -> expectRing(trial, error(trial)))
                    .and("vhost.inband.8"),
            Check.of(
                    "vhost.inband.9",
                    "The number in BACKEND_VRING_ERR is 0",
                    trial -> expectNumberZero(trial, error(trial))));

    private InbandChecks() {}

    private static void needsTheOthers(Trial trial) throws IOException {
        FrontEnd frontEnd = trial.connect();
        trial.requireFeatures(frontEnd.getFeatures(), Features.PROTOCOL_FEATURES);
        trial.requireProtocol(frontEnd.getProtocolFeatures(), Protocol.INBAND_NOTIFICATIONS);
        frontEnd.send(
                Request.SET_PROTOCOL_FEATURES,
                Connection.VERSION,
                Payload.number(Protocol.INBAND_NOTIFICATIONS),
                List.of());
        trial.expect(
                frontEnd.connection().awaitClosed(),
                "INBAND_NOTIFICATIONS was negotiated alone, but the connection is still open");
    }

    /** Starts the ring of the sample request without descriptors for kicks and calls. */
    private static Session started(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL
                .without(Features.RING_PACKED)
                .withProtocol(Protocol.INBAND_NOTIFICATIONS | Protocol.BACKEND_REQ | Protocol.REPLY_ACK));
        RingDriver ring = session.ring();
        FrontEnd frontEnd = session.frontEnd();
        frontEnd.setVringNum(ring.index(), ring.size());
        frontEnd.setVringBase(ring.index(), 0);
        frontEnd.setVringAddr(ring.addresses(false));
        frontEnd.setVringEnable(ring.index(), true);
        return session;
    }

    private static Reply call(Trial trial) throws IOException {
        Session session = started(trial);
        session.ring().add(session.request().prepare());
        session.frontEnd().vringKick(session.ring().index());
        Reply request = session.device().channel().receive();
        request.fds().forEach(Fd::close);
        if (request.request() != Request.BackEnd.VRING_CALL) {
            throw new Unmet("a request was served, but the back-end sent request " + request.request()
                    + ", not BACKEND_VRING_CALL");
        }
        return request;
    }

    private static Reply error(Trial trial) throws IOException {
        Session session = started(trial);
        session.ring().add(session.request().prepare());
        session.ram().putShort(session.ring().driverArea() + ENTRIES, NO_DESCRIPTOR);
        session.frontEnd().vringKick(session.ring().index());
        while (session.device().channel().awaitReadable(trial.limits().answer())) {
            Reply request = session.device().channel().receive();
            request.fds().forEach(Fd::close);
            if (request.request() == Request.BackEnd.VRING_ERR) {
                return request;
            }
        }
        throw new Skipped("this back-end does not treat a chain that begins with descriptor 65535 as an error");
    }

    private static void expectRing(Trial trial, Reply request) {
        int ring = trial.sample().map(sample -> sample.queue()).orElse(0);
        trial.expect(
                request.payload().length == 8 && request.buffer().getInt(0) == ring,
                "request " + request.request() + " of the back-end has " + request.payload().length
                        + " bytes, which are not the state of ring " + ring);
    }

    private static void expectNumberZero(Trial trial, Reply request) {
        trial.expect(
                request.payload().length == 8 && request.buffer().getInt(4) == 0,
                "the number in request " + request.request() + " of the back-end is not 0");
    }
}
