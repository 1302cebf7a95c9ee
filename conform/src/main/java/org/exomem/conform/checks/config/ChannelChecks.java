package org.exomem.conform.checks.config;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.BackEndChannel;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.Fd;
import org.exomem.linux.UnixSockets;

/** The channel for the back-end's own requests. */
final class ChannelChecks {
    private static final int REQUESTS = 3;
    private static final int MOST_DESCRIPTORS = 8;

    /** A request of the back-end that needs a protocol feature. */
    private record Gated(String requirement, String name, int request, String feature) {
        Check check() {
            return Check.of(
                    requirement,
                    "Without " + feature + ", the back-end sends no " + name,
                    trial -> eachOwnRequest(
                            trial,
                            (_, sent) -> trial.expect(
                                    sent.request() != request,
                                    "the back-end sent " + name + ", though " + feature + " was not negotiated")));
        }
    }

    private static final List<Gated> GATED = List.of(
            new Gated("vhost.channel.9", "BACKEND_IOTLB_MSG", Request.BackEnd.IOTLB_MSG, "ACCESS_PLATFORM"),
            new Gated(
                    "vhost.notifier.3",
                    "BACKEND_VRING_HOST_NOTIFIER_MSG",
                    Request.BackEnd.HOST_NOTIFIER,
                    "HOST_NOTIFIER"),
            new Gated(
                    "vhost.object.2", "BACKEND_SHARED_OBJECT_ADD", Request.BackEnd.SHARED_OBJECT_ADD, "SHARED_OBJECT"),
            new Gated(
                    "vhost.object.5",
                    "BACKEND_SHARED_OBJECT_REMOVE",
                    Request.BackEnd.SHARED_OBJECT_REMOVE,
                    "SHARED_OBJECT"),
            new Gated(
                    "vhost.object.8",
                    "BACKEND_SHARED_OBJECT_LOOKUP",
                    Request.BackEnd.SHARED_OBJECT_LOOKUP,
                    "SHARED_OBJECT"),
            new Gated("vhost.shmem.7", "BACKEND_SHMEM_MAP", Request.BackEnd.SHMEM_MAP, "SHMEM_MAP"),
            new Gated("vhost.shmem.13", "BACKEND_SHMEM_UNMAP", Request.BackEnd.SHMEM_UNMAP, "SHMEM_MAP"));

    static final List<Check> ALL =
            Stream.concat(own().stream(), GATED.stream().map(Gated::check)).toList();

    private ChannelChecks() {}

    private static List<Check> own() {
        return List.of(
                Check.of(
                        "vhost.channel.7",
                        "With REPLY_ACK, SET_BACKEND_REQ_FD is answered with 0",
                        ChannelChecks::setChannelIsAnswered),
                Check.of(
                        "vhost.channel.4",
                        "Without BACKEND_SEND_FD, no request of the back-end has descriptors",
                        trial -> eachOwnRequest(trial, ChannelChecks::expectNoDescriptors)),
                Check.of(
                        "vhost.channel.5",
                        "No request of the back-end has more than 8 descriptors",
                        trial -> eachOwnRequest(trial, ChannelChecks::expectFewDescriptors)),
                Check.of(
                        "vhost.channel.request.2",
                        "BACKEND_CONFIG_CHANGE_MSG has no payload",
                        ChannelChecks::configChangeHasNoPayload));
    }

    private static void setChannelIsAnswered(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.REPLY_ACK | Protocol.BACKEND_REQ));
        List<Fd> pair = UnixSockets.pair();
        try (Fd _ = pair.get(0);
                Fd theirs = pair.get(1)) {
            session.frontEnd()
                    .send(
                            Request.SET_BACKEND_REQ_FD,
                            Connection.VERSION | Connection.NEED_REPLY,
                            Payload.none(),
                            List.of(theirs));
            Reply reply = session.connection().receive();
            trial.expect(
                    reply.request() == Request.SET_BACKEND_REQ_FD && reply.asLong() == 0,
                    "SET_BACKEND_REQ_FD was answered with a reply to request " + reply.request() + ", number "
                            + reply.asLong());
        }
    }

    /** What a check demands of a request of the back-end. */
    @FunctionalInterface
    private interface Expectation {
        void of(Trial trial, Reply request);
    }

    /** Serves some requests, and examines what the back-end sends meanwhile. */
    private static void eachOwnRequest(Trial trial, Expectation expectation) throws IOException {
        Session session =
                trial.running(Wish.USUAL.without(Features.ACCESS_PLATFORM).withProtocol(Protocol.BACKEND_REQ));
        for (int i = 0; i < REQUESTS; i++) {
            session.serve();
        }
        for (Reply request : all(trial, session.device().channel())) {
            expectation.of(trial, request);
        }
    }

    private static List<Reply> all(Trial trial, BackEndChannel channel) throws IOException {
        List<Reply> all = new ArrayList<>();
        while (channel.awaitReadable(trial.limits().quiet())) {
            Reply request = channel.receive();
            request.fds().forEach(trial::closeLater);
            all.add(request);
        }
        return all;
    }

    private static void expectNoDescriptors(Trial trial, Reply request) {
        trial.expect(
                request.fds().isEmpty(),
                "request " + request.request() + " of the back-end has "
                        + request.fds().size() + " descriptors");
    }

    private static void expectFewDescriptors(Trial trial, Reply request) {
        trial.expect(
                request.fds().size() <= MOST_DESCRIPTORS,
                "request " + request.request() + " of the back-end has "
                        + request.fds().size() + " descriptors");
    }

    private static void configChangeHasNoPayload(Trial trial) throws IOException {
        Session session = BadChain.session(trial);
        if (!session.hasProtocol(Protocol.BACKEND_REQ | Protocol.CONFIG)) {
            throw new Skipped("the back-end does not offer BACKEND_REQ and CONFIG");
        }
        BadChain.send(session);
        if (BadChain.effect(trial, session) != BadChain.Effect.NEEDS_RESET
                || !session.device().channel().awaitReadable(trial.limits().answer())) {
            throw new Skipped("the runner could not make the device send a configuration change notification");
        }
        Reply request = session.device().channel().receive();
        trial.expect(
                request.request() == Request.BackEnd.CONFIG_CHANGE,
                "the back-end sent request " + request.request() + ", not BACKEND_CONFIG_CHANGE_MSG");
        trial.expect(
                request.payload().length == 0 && request.fds().isEmpty(),
                "BACKEND_CONFIG_CHANGE_MSG has " + request.payload().length + " bytes and "
                        + request.fds().size() + " descriptors");
        trial.expect(
                (request.flags() & (3 | Connection.REPLY)) == Connection.VERSION,
                "BACKEND_CONFIG_CHANGE_MSG has the flags 0x" + Integer.toHexString(request.flags()));
    }
}
