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
import org.exomem.conformance.frontend.StateChannel;
import org.exomem.linux.Fd;
import org.exomem.linux.PipeEnd;
import org.exomem.linux.SharedFile;

/** The content of the answers, request by request. */
final class AnswerChecks {
    private static final int MOST_QUEUES = 1 << 16;
    private static final int STATUS_BITS = 0xff;
    private static final int POSITION = 5;
    private static final int INFLIGHT_QUEUES = 1;
    private static final int INFLIGHT_QUEUE_SIZE = 64;
    /** Without the padding at the end of the C structure, which some back-ends leave out. */
    private static final int SMALLEST_INFLIGHT = 20;

    static final List<Check> ALL = List.of(
            Check.of(
                    "vhost.answer.1",
                    "GET_FEATURES is answered with one number, the same each time",
                    trial -> numberStays(trial, Query.GET_FEATURES)),
            Check.of(
                    "vhost.answer.15",
                    "GET_PROTOCOL_FEATURES is answered with one number, the same each time",
                    trial -> numberStays(trial, Query.GET_PROTOCOL_FEATURES)),
            Check.of(
                    "vhost.answer.17",
                    "GET_QUEUE_NUM is answered with the number of queues that can be set up",
                    AnswerChecks::queueNumber),
            Check.of(
                    "vhost.answer.11",
                    "GET_VRING_BASE is answered with the ring's index and position",
                    AnswerChecks::ringPosition),
            Check.of("vhost.answer.24", "GET_CONFIG is answered with the requested bytes", AnswerChecks::configBytes),
            Check.of(
                    "vhost.answer.31",
                    "GET_INFLIGHT_FD is answered with one descriptor, of a file that holds the area",
                    AnswerChecks::inflightFile),
            Check.of(
                    "vhost.payload.22",
                    "An in-flight payload is size, offset, number of queues and their size",
                    AnswerChecks::inflightPayload),
            Check.of(
                    "vhost.answer.36",
                    "GET_MAX_MEM_SLOTS is answered with one number, at least 1",
                    AnswerChecks::memorySlots),
            Check.of(
                    "vhost.answer.40",
                    "GET_STATUS is answered with one number, the status bits that were set",
                    AnswerChecks::statusBits),
            Check.of("vhost.answer.42", "SET_DEVICE_STATE_FD is answered with one number", AnswerChecks::deviceStateFd),
            Check.of(
                    "vhost.answer.43",
                    "CHECK_DEVICE_STATE is answered with one number",
                    AnswerChecks::checkDeviceState));

    private AnswerChecks() {}

    private static long number(Trial trial, FrontEnd frontEnd, Query query) throws IOException {
        Reply reply = query.ask(frontEnd);
        trial.expect(
                reply.request() == query.request(),
                query.name() + " was answered with a message of request " + reply.request());
        trial.expect(
                reply.payload().length == Long.BYTES,
                query.name() + " was answered with " + reply.payload().length + " bytes, not with one number of 8");
        return reply.asLong();
    }

    private static void numberStays(Trial trial, Query query) throws IOException {
        FrontEnd frontEnd = trial.connect();
        long offered = number(trial, frontEnd, Query.GET_FEATURES);
        if (query == Query.GET_PROTOCOL_FEATURES) {
            trial.requireFeatures(offered, Features.PROTOCOL_FEATURES);
        }
        long first = number(trial, frontEnd, query);
        frontEnd.setOwner();
        long second = number(trial, frontEnd, query);
        trial.expect(
                first == second,
                query.name() + " was answered with 0x" + Long.toHexString(first) + ", and then with 0x"
                        + Long.toHexString(second));
    }

    private static void queueNumber(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.MQ));
        long queues = number(trial, session.frontEnd(), Query.GET_QUEUE_NUM);
        trial.expect(queues > 0 && queues <= MOST_QUEUES, queues + " queues are reported");
        int needed = trial.sample().map(sample -> sample.queues()).orElse(1);
        trial.expect(queues >= needed, queues + " queues are reported, but the device has at least " + needed);
        // The last of the queues can be set up.
        session.frontEnd().setVringNum((int) queues - 1, INFLIGHT_QUEUE_SIZE);
        session.settle();
    }

    private static void ringPosition(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL);
        int rings = trial.sample().map(sample -> sample.queues()).orElse(1);
        for (int ring = 0; ring < rings; ring++) {
            session.frontEnd().setVringBase(ring, POSITION + ring);
        }
        for (int ring = 0; ring < rings; ring++) {
            Reply reply = session.frontEnd().ask(Request.GET_VRING_BASE, Payload.ring(ring, 0));
            trial.expect(
                    reply.payload().length == 8,
                    "GET_VRING_BASE was answered with " + reply.payload().length + " bytes");
            int index = reply.buffer().getInt(0);
            int position = reply.buffer().getInt(4);
            trial.expect(
                    index == ring && position == POSITION + ring,
                    "GET_VRING_BASE of ring " + ring + ", which was set to position " + (POSITION + ring)
                            + " and never started, was answered with ring " + index + ", position " + position);
        }
    }

    private static void configBytes(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.CONFIG));
        byte[] whole = session.frontEnd().getConfig(0, 4);
        for (int offset = 0; offset < whole.length; offset++) {
            byte one = session.frontEnd().getConfig(offset, 1)[0];
            trial.expect(
                    one == whole[offset],
                    "byte " + offset + " of the config space is " + whole[offset] + " when 4 bytes are read, and " + one
                            + " when it is read alone");
        }
    }

    private static Reply askInflight(Trial trial, FrontEnd frontEnd) throws IOException {
        frontEnd.send(
                Request.GET_INFLIGHT_FD,
                Connection.VERSION,
                Payload.inflight(new InflightArea(0, 0, INFLIGHT_QUEUES, INFLIGHT_QUEUE_SIZE)),
                List.of());
        Reply reply = frontEnd.connection().receive();
        reply.fds().forEach(trial::closeLater);
        return reply;
    }

    private static void inflightFile(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.INFLIGHT_SHMFD));
        Reply reply = askInflight(trial, session.frontEnd());
        trial.expect(
                reply.fds().size() == 1,
                "GET_INFLIGHT_FD was answered with " + reply.fds().size() + " descriptors");
        long end = reply.buffer().getLong(0) + reply.buffer().getLong(8);
        long size = new SharedFile(reply.fds().getFirst()).size();
        trial.expect(size >= end, "the area ends at byte " + end + " of its file, which has " + size + " bytes");
    }

    private static void inflightPayload(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.INFLIGHT_SHMFD));
        Reply reply = askInflight(trial, session.frontEnd());
        int size = reply.payload().length;
        trial.expect(
                size == SMALLEST_INFLIGHT || size == Payload.INFLIGHT_SIZE,
                "GET_INFLIGHT_FD was answered with " + size + " bytes, not with " + SMALLEST_INFLIGHT + " or, padded, "
                        + Payload.INFLIGHT_SIZE);
        int queues = reply.buffer().getShort(16);
        int queueSize = reply.buffer().getShort(18);
        trial.expect(
                queues == INFLIGHT_QUEUES && queueSize == INFLIGHT_QUEUE_SIZE,
                "an area for 1 queue of 64 entries was requested, but the reply has " + queues + " queues of "
                        + queueSize);
        trial.expect(
                reply.buffer().getLong(0) > 0, "the area has " + reply.buffer().getLong(0) + " bytes");
    }

    private static void memorySlots(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.CONFIGURE_MEM_SLOTS));
        long slots = number(trial, session.frontEnd(), Query.GET_MAX_MEM_SLOTS);
        trial.expect(slots > 0, slots + " memory slots are reported");
    }

    private static void statusBits(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.STATUS));
        long status = number(trial, session.frontEnd(), Query.GET_STATUS);
        trial.expect(
                status == (1 | 2 | 8),
                "ACKNOWLEDGE, DRIVER and FEATURES_OK (11) were set, but GET_STATUS was answered with " + status);
        trial.expect(
                (status & ~STATUS_BITS) == 0, "the status 0x" + Long.toHexString(status) + " has more than 8 bits");
    }

    private static long beginSaving(Trial trial, FrontEnd frontEnd, Fd writeEnd) throws IOException {
        frontEnd.send(Request.SET_DEVICE_STATE_FD, Connection.VERSION, Payload.deviceState(0, 0), List.of(writeEnd));
        Reply reply = Query.next(frontEnd);
        trial.expect(
                reply.request() == Request.SET_DEVICE_STATE_FD && reply.payload().length == Long.BYTES,
                "SET_DEVICE_STATE_FD was answered with a reply to request " + reply.request() + " and "
                        + reply.payload().length + " bytes, not with one number");
        return reply.asLong();
    }

    private static void deviceStateFd(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.DEVICE_STATE));
        PipeEnd.Pipe pipe = PipeEnd.pipe();
        try (Fd readEnd = pipe.readEnd();
                Fd writeEnd = pipe.writeEnd()) {
            long answer = beginSaving(trial, session.frontEnd(), writeEnd);
            trial.expect(
                    (answer & 0xff) == 0,
                    "SET_DEVICE_STATE_FD of a device whose rings are stopped was answered with 0x"
                            + Long.toHexString(answer) + ", an error");
        }
    }

    private static void checkDeviceState(Trial trial) throws IOException {
        Session session = trial.session(Wish.USUAL.withProtocol(Protocol.DEVICE_STATE));
        PipeEnd.Pipe pipe = PipeEnd.pipe();
        try (Fd readEnd = pipe.readEnd()) {
            try (Fd writeEnd = pipe.writeEnd()) {
                beginSaving(trial, session.frontEnd(), writeEnd);
            }
            StateChannel.readAll(readEnd, trial.limits().answer());
        }
        session.frontEnd().send(Request.CHECK_DEVICE_STATE, Connection.VERSION, Payload.none(), List.of());
        Reply reply = Query.next(session.frontEnd());
        trial.expect(
                reply.request() == Request.CHECK_DEVICE_STATE && reply.payload().length == Long.BYTES,
                "CHECK_DEVICE_STATE was answered with a reply to request " + reply.request() + " and "
                        + reply.payload().length + " bytes, not with one number");
        trial.expect(
                reply.asLong() == 0,
                "the device's state was read to its end, but CHECK_DEVICE_STATE returned " + reply.asLong());
    }
}
