package org.exomem.conform.broken;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Request;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.linux.UnixSockets;

/** Messages, negotiation, config space, memory and reset, wrong in one way each. */
final class WireMutations {
    private static final int CONFIG_DATA = Payload.CONFIG_HEADER_SIZE;
    private static final int REGION = 8;
    private static final int FEATURES_OK = 8;
    private static final int NEEDS_RESET = 64;
    private static final long UNDEFINED_FEATURE = 1L << 45;
    private static final long CROSS_ENDIAN = 1L << 6;
    private static final long SR_IOV = 1L << 37;
    /** Requests whose replies have content of their own. */
    static final Set<Integer> ASKING = Set.of(
            Request.GET_FEATURES,
            Request.GET_PROTOCOL_FEATURES,
            Request.GET_VRING_BASE,
            Request.GET_QUEUE_NUM,
            Request.GET_CONFIG,
            Request.GET_INFLIGHT_FD,
            Request.GET_MAX_MEM_SLOTS,
            Request.GET_STATUS,
            Request.SET_LOG_BASE,
            Request.SET_DEVICE_STATE_FD,
            Request.CHECK_DEVICE_STATE);

    static final List<Mutation> ALL = List.of(
            // Form
            every("vhost.message.1", "all numbers of an answer are big-endian", WireMutations::swapped),
            every(
                    "vhost.message.3",
                    "an answer's header has a fourth field",
                    message -> message.withPayload(joined(new byte[4], message.payload()))
                            .withSize(message.size())),
            every("vhost.header.1", "replies lack the reply bit", message -> message.withFlags(Connection.VERSION)),
            every(
                    "vhost.header.2",
                    "a reply has the number of another request",
                    message -> message.withRequest(message.request() + 1)),
            every("vhost.header.3", "replies are of version 2", message -> message.withFlags(2 | Connection.REPLY)),
            every(
                    "vhost.header.5",
                    "the size of a reply lacks one byte",
                    message -> message.withSize(message.size() - 1)),
            number("vhost.payload.1", "a number has 4 bytes", Request.GET_FEATURES),
            of(
                    "vhost.payload.4",
                    "a ring state has 16 bytes",
                    () -> new Broken()
                            .answering(
                                    Request.GET_VRING_BASE,
                                    message -> message.withPayload(Arrays.copyOf(message.payload(), 16)))),
            of(
                    "vhost.payload.18",
                    "a config payload lacks its flags",
                    () -> new Broken()
                            .answering(
                                    Request.GET_CONFIG,
                                    message -> message.withPayload(joined(
                                            Arrays.copyOf(message.payload(), 8),
                                            tail(message.payload(), CONFIG_DATA))))),
            // Replies
            of("vhost.reply.1", "GET_FEATURES is not answered", () -> new Broken().silentOn(Request.GET_FEATURES)),
            of(
                    "vhost.reply.2",
                    "GET_PROTOCOL_FEATURES is not answered",
                    () -> new Broken().silentOn(Request.GET_PROTOCOL_FEATURES)),
            of("vhost.reply.3", "GET_VRING_BASE is not answered", () -> new Broken().silentOn(Request.GET_VRING_BASE)),
            of("vhost.reply.4", "SET_LOG_BASE is not answered", () -> new Broken().silentOn(Request.SET_LOG_BASE)),
            of(
                    "vhost.reply.5",
                    "GET_INFLIGHT_FD is not answered",
                    () -> new Broken().silentOn(Request.GET_INFLIGHT_FD)),
            of(
                    "vhost.reply.6",
                    "SET_OWNER is answered though nobody asked",
                    () -> new Broken().onEveryRequest((message, line) -> {
                        if (!message.needsReply() && !ASKING.contains(message.request())) {
                            line.toFrontEnd(Message.reply(message.request(), Payload.number(0)));
                        }
                        return List.of(message);
                    })),
            of(
                    "vhost.reply.8",
                    "need-reply is not answered",
                    () -> new Broken().onEveryReply((message, line) -> {
                        if (ASKING.contains(message.request())) {
                            return List.of(message);
                        }
                        message.close();
                        return List.of();
                    })),
            of(
                    "vhost.reply.9",
                    "an error is answered with 0",
                    () -> new Broken()
                            .onEveryReply((message, line) ->
                                    List.of(ASKING.contains(message.request()) ? message : message.withLong(0, 0)))),
            of(
                    "vhost.reply.11",
                    "a request with an answer of its own is answered twice with need-reply",
                    WireMutations::answersTwice),
            // Answers
            number("vhost.answer.1", "GET_FEATURES is answered with 4 bytes", Request.GET_FEATURES),
            number("vhost.answer.15", "GET_PROTOCOL_FEATURES is answered with 4 bytes", Request.GET_PROTOCOL_FEATURES),
            number("vhost.answer.11", "GET_VRING_BASE is answered with the position alone", Request.GET_VRING_BASE),
            number("vhost.answer.17", "GET_QUEUE_NUM is answered with 4 bytes", Request.GET_QUEUE_NUM),
            of(
                    "vhost.answer.24",
                    "GET_CONFIG is answered with the bytes from 0 on, whatever was asked for",
                    () -> new Broken().taking(Request.GET_CONFIG, message -> message.withInt(0, 0))),
            of(
                    "vhost.config.1",
                    "GET_CONFIG is answered with one byte less than was asked for",
                    () -> new Broken()
                            .answering(
                                    Request.GET_CONFIG,
                                    message -> message.payload().length <= CONFIG_DATA
                                            ? message
                                            : message.withPayload(
                                                    Arrays.copyOf(message.payload(), message.payload().length - 1)))),
            of(
                    "vhost.config.2",
                    "an error of GET_CONFIG is answered with content",
                    () -> new Broken().onRequest(Request.GET_CONFIG, (message, line) -> {
                        if (message.longAt(0) >>> 32 <= 256 && message.intAt(0) + message.intAt(4) <= 256) {
                            return List.of(message);
                        }
                        line.toFrontEnd(Message.reply(message.request(), message.payload()));
                        message.close();
                        return List.of();
                    })),
            of("vhost.config.5", "SET_CONFIG changes a read-only field", WireMutations::writableConfig),
            of(
                    "vhost.channel.4",
                    "a request of the back-end has a descriptor without BACKEND_SEND_FD",
                    () -> saying(message -> withDescriptors(message, 1))),
            of(
                    "vhost.channel.5",
                    "a request of the back-end has 9 descriptors",
                    () -> saying(message -> withDescriptors(message, 9))),
            of(
                    "vhost.channel.9",
                    "an IOTLB message is sent without ACCESS_PLATFORM",
                    () -> saying(message ->
                            message.withRequest(Request.BackEnd.IOTLB_MSG).withPayload(new byte[32]))),
            unwanted("vhost.notifier.3", Request.BackEnd.HOST_NOTIFIER),
            unwanted("vhost.object.2", Request.BackEnd.SHARED_OBJECT_ADD),
            unwanted("vhost.object.5", Request.BackEnd.SHARED_OBJECT_REMOVE),
            unwanted("vhost.object.8", Request.BackEnd.SHARED_OBJECT_LOOKUP),
            unwanted("vhost.shmem.7", Request.BackEnd.SHMEM_MAP),
            unwanted("vhost.shmem.13", Request.BackEnd.SHMEM_UNMAP),
            of(
                    "vhost.channel.request.2",
                    "CONFIG_CHANGE has a payload",
                    () -> saying(message -> message.withPayload(Payload.number(0)))),
            of(
                    "vhost.channel.7",
                    "SET_BACKEND_REQ_FD is answered with an error",
                    () -> new Broken().refusing(Request.SET_BACKEND_REQ_FD)),
            number("vhost.answer.36", "GET_MAX_MEM_SLOTS is answered with 4 bytes", Request.GET_MAX_MEM_SLOTS),
            number("vhost.answer.40", "GET_STATUS is answered with 4 bytes", Request.GET_STATUS),
            number("vhost.answer.42", "SET_DEVICE_STATE_FD is answered with 4 bytes", Request.SET_DEVICE_STATE_FD)
                    .on(DeviceType.BALLOON),
            number("vhost.answer.43", "CHECK_DEVICE_STATE is answered with 4 bytes", Request.CHECK_DEVICE_STATE)
                    .on(DeviceType.BALLOON),
            // Negotiation
            of(
                    "reserved.14",
                    "VERSION_1 is not offered",
                    () -> new Broken().withoutBits(Request.GET_FEATURES, Features.VERSION_1)),
            of("reserved.23", "SR_IOV is offered", () -> new Broken().withBits(Request.GET_FEATURES, SR_IOV)),
            of(
                    "feature.12",
                    "an undefined feature is offered",
                    () -> new Broken().withBits(Request.GET_FEATURES, UNDEFINED_FEATURE)),
            of(
                    "feature.10",
                    "a driver that leaves INDIRECT_DESC out is turned away",
                    () -> new Broken()
                            .closingOn(
                                    Request.SET_FEATURES,
                                    message -> (message.longAt(0) & Features.INDIRECT_DESC) == 0)),
            of(
                    "feature.11",
                    "FEATURES_OK stays though the features are none to work with",
                    () -> new Broken()
                            .taking(
                                    Request.SET_FEATURES,
                                    message -> message.withLong(0, message.longAt(0) & ~(1L << 49)))
                            .withBits(Request.GET_STATUS, FEATURES_OK)),
            of("feature.13", "features are refused after a reset", WireMutations::refusedAfterReset),
            of(
                    "vhost.feature.2",
                    "need-reply is answered before REPLY_ACK was negotiated",
                    () -> new Broken().onEveryRequest((message, line) -> {
                        if (message.needsReply()
                                && line.protocolFeatures() == 0
                                && !ASKING.contains(message.request())) {
                            line.toFrontEnd(Message.reply(message.request(), Payload.number(0)));
                        }
                        return List.of(message);
                    })),
            of(
                    "vhost.feature.4",
                    "GET_PROTOCOL_FEATURES is refused though bit 30 is offered",
                    () -> new Broken().closingOn(Request.GET_PROTOCOL_FEATURES)),
            of(
                    "vhost.feature.5",
                    "EVENT_IDX is used though it was not acknowledged",
                    () -> new Broken()
                            .taking(
                                    Request.SET_FEATURES,
                                    message -> message.withLong(0, message.longAt(0) | Features.EVENT_IDX))),
            of(
                    "vhost.feature.8",
                    "GET_PROTOCOL_FEATURES is refused before SET_FEATURES",
                    () -> beforeFeatures(Request.GET_PROTOCOL_FEATURES)),
            of(
                    "vhost.feature.11",
                    "SET_PROTOCOL_FEATURES is refused before SET_FEATURES",
                    () -> beforeFeatures(Request.SET_PROTOCOL_FEATURES)),
            of(
                    "vhost.feature.12",
                    "need-reply is answered though REPLY_ACK was not acknowledged",
                    () -> new Broken()
                            .taking(
                                    Request.SET_PROTOCOL_FEATURES,
                                    message -> message.withLong(0, message.longAt(0) | Protocol.REPLY_ACK))),
            of(
                    "vhost.queue.1",
                    "MQ is offered without bit 30",
                    () -> new Broken()
                            .withoutBits(Request.GET_FEATURES, Features.PROTOCOL_FEATURES)
                            .answeringItself(
                                    Request.GET_QUEUE_NUM,
                                    message -> Message.reply(message.request(), Payload.number(1)))),
            of(
                    "vhost.queue.5",
                    "MQ is not offered",
                    () -> new Broken().withoutBits(Request.GET_PROTOCOL_FEATURES, Protocol.MQ)),
            of("vhost.owner.4", "RESET_OWNER closes the connection", () -> new Broken().closingOn(Request.RESET_OWNER)),
            of(
                    "vhost.error.3",
                    "GET_QUEUE_NUM closes the connection",
                    () -> new Broken().closingOn(Request.GET_QUEUE_NUM)),
            of("vhost.endian.2", "rings of the other byte order are refused", WireMutations::oneByteOrder),
            // Status and reset
            of("reset.1", "the status stays after a reset", WireMutations::statusStays),
            of(
                    "reset.2",
                    "status 0 does not reset",
                    () -> new Broken().ignoring(Request.SET_STATUS, message -> message.longAt(0) == 0)),
            of("vhost.status.2", "SET_STATUS changes nothing", () -> new Broken().ignoring(Request.SET_STATUS)),
            of("status.5", "the driver is called before its ring is started", WireMutations::callsEarly),
            of(
                    "status.6",
                    "DEVICE_NEEDS_RESET is not set",
                    () -> new Broken().withoutBits(Request.GET_STATUS, NEEDS_RESET)),
            of(
                    "status.7",
                    "DEVICE_NEEDS_RESET is set and nobody is told",
                    () -> new Broken().taking(Request.SET_BACKEND_REQ_FD, WireMutations::withDeafChannel)),
            of(
                    "config.6",
                    "the config space can't be read before the features are set",
                    () -> beforeFeatures(Request.GET_CONFIG)),
            of(
                    "vhost.reset.1",
                    "RESET_DEVICE does not disable the rings",
                    () -> new Broken().ignoring(Request.RESET_DEVICE)),
            of(
                    "vhost.reset.2",
                    "the device can't be initialized again after RESET_DEVICE",
                    () -> closedAfter(Request.RESET_DEVICE, Request.SET_VRING_KICK)),
            of(
                    "vhost.reset.3",
                    "RESET_DEVICE closes the connection",
                    () -> new Broken().closingOn(Request.RESET_DEVICE)),
            // Memory
            of(
                    "vhost.memory.3",
                    "a user address is found in a region only by the region's guest address",
                    () -> new Broken()
                            .taking(Request.SET_VRING_ADDR, message -> message.withLong(8, message.longAt(8) + 4096))),
            of(
                    "vhost.memory.4",
                    "guest addresses are found one page too far up",
                    () -> new Broken().relaying().onEveryRequest((message, line) -> {
                        if (message.request() == Request.SET_MEM_TABLE) {
                            return List.of(message.withLong(8, message.longAt(8) + 4096));
                        }
                        return List.of(
                                message.request() == Request.ADD_MEM_REG && message.longAt(8) < 1L << 40
                                        ? message.withLong(8, message.longAt(8) + 4096)
                                        : message);
                    })),
            of("vhost.memory.7", "a second SET_MEM_TABLE changes nothing", () -> {
                int[] count = new int[1];
                return new Broken().ignoring(Request.SET_MEM_TABLE, message -> count[0]++ > 0);
            }),
            of(
                    "vhost.memory.8",
                    "the descriptors of SET_MEM_TABLE are taken in another order",
                    () -> new Broken().taking(Request.SET_MEM_TABLE, message -> {
                        List<Fd> fds = new ArrayList<>(message.fds());
                        Collections.rotate(fds, 1);
                        return message.withFds(fds);
                    })),
            of(
                    "vhost.memory.9",
                    "one region more can be added than GET_MAX_MEM_SLOTS says",
                    () -> new Broken()
                            .answering(
                                    Request.GET_MAX_MEM_SLOTS, message -> message.withLong(0, message.longAt(0) + 1))),
            of("vhost.memory.11", "ADD_MEM_REG does not map the second region", () -> {
                int[] count = new int[1];
                return new Broken().ignoring(Request.ADD_MEM_REG, message -> count[0]++ > 0);
            }),
            of("vhost.memory.12", "REM_MEM_REG changes nothing", () -> new Broken().ignoring(Request.REM_MEM_REG)),
            of(
                    "vhost.memory.13",
                    "REM_MEM_REG finds a region by its guest address alone",
                    WireMutations::removesByGuest),
            of(
                    "vhost.memory.14",
                    "REM_MEM_REG without the file offset is refused",
                    () -> new Broken().onRequest(Request.REM_MEM_REG, WireMutations::refuseOffset)),
            of(
                    "vhost.memory.16",
                    "REM_MEM_REG with a descriptor is never answered",
                    () -> new Broken().onRequest(Request.REM_MEM_REG, (message, line) -> {
                        if (message.fds().isEmpty()) {
                            return List.of(message);
                        }
                        message.close();
                        return List.of();
                    })),
            of(
                    "vhost.memory.17",
                    "a descriptor that comes with REM_MEM_REG stays open",
                    () -> new Broken().taking(Request.REM_MEM_REG, message -> message.withFds(List.of()))),
            of(
                    "vhost.address.4",
                    "with GPA_ADDRESSES, ring addresses are no guest addresses",
                    () -> new Broken()
                            .onRequest(
                                    Request.SET_VRING_ADDR,
                                    (message, line) -> List.of(
                                            (line.protocolFeatures() & Protocol.GPA_ADDRESSES) == 0
                                                    ? message
                                                    : message.withLong(8, message.longAt(8) + (1L << 39))))),
            of(
                    "vhost.address.6",
                    "ring addresses are taken as guest addresses",
                    () -> new Broken()
                            .onRequest(
                                    Request.SET_VRING_ADDR,
                                    (message, line) -> List.of(
                                            (line.protocolFeatures() & Protocol.GPA_ADDRESSES) != 0
                                                    ? message
                                                    : message.withLong(8, message.longAt(8) & 0xffffff)))));

    private WireMutations() {}

    private static Mutation of(String requirement, String name, Supplier<Tampering> tampering) {
        return Mutation.of(requirement, name, tampering);
    }

    private static Mutation every(String requirement, String name, UnaryOperator<Message> change) {
        return of(
                requirement, name, () -> new Broken().onEveryReply((message, line) -> List.of(change.apply(message))));
    }

    /** An answer whose payload is cut in half. */
    private static Mutation number(String requirement, String name, int request) {
        return of(
                requirement,
                name,
                () -> new Broken()
                        .answering(request, message -> message.withPayload(Arrays.copyOf(message.payload(), 4))));
    }

    private static byte[] joined(byte[] first, byte[] second) {
        byte[] all = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, all, first.length, second.length);
        return all;
    }

    private static byte[] tail(byte[] bytes, int from) {
        return from >= bytes.length ? new byte[0] : Arrays.copyOfRange(bytes, from, bytes.length);
    }

    private static Message swapped(Message message) {
        byte[] payload = message.payload().clone();
        if (payload.length == Long.BYTES) {
            ByteBuffer bytes = ByteBuffer.wrap(payload).order(ByteOrder.nativeOrder());
            bytes.putLong(0, Long.reverseBytes(bytes.getLong(0)));
        }
        return message.withRequest(Integer.reverseBytes(message.request()))
                .withFlags(Integer.reverseBytes(message.flags()))
                .withPayload(payload)
                .withSize(Integer.reverseBytes(message.size()));
    }

    /** Sends CONFIG_CHANGE, or a changed message, when the driver is ready. */
    private static Broken saying(UnaryOperator<Message> change) {
        return new Broken().onReply(Request.SET_STATUS, (message, line) -> {
            line.overChannel(change.apply(Message.request(Request.BackEnd.CONFIG_CHANGE, Payload.none())));
            return List.of(message);
        });
    }

    private static Message withDescriptors(Message message, int count) {
        List<Fd> fds = new ArrayList<>();
        try (SharedFile file = SharedFile.memfd("anything", 4096)) {
            for (int i = 0; i < count; i++) {
                fds.add(file.fd().duplicate());
            }
        } catch (LinuxException e) {
            throw new IllegalStateException(e);
        }
        return message.withFds(fds);
    }

    /** Calls repeatedly as soon as there is a descriptor, until the ring is started. */
    private static Broken callsEarly() {
        Fds calls = new Fds();
        long[] next = new long[1];
        return new Broken()
                .keeping(calls)
                .onRequest(Request.SET_VRING_CALL, (message, line) -> {
                    message.fds().forEach(calls::keepEvent);
                    return List.of(message);
                })
                .before(Request.SET_VRING_KICK, line -> calls.close())
                .onTick(line -> {
                    if (System.nanoTime() > next[0]) {
                        next[0] = System.nanoTime() + 10_000_000;
                        calls.signal();
                    }
                });
    }

    /** Passes the rest of the region to the back-end, whatever the front-end has sent. */
    private static Broken removesByGuest() {
        Map<Long, Message> added = new HashMap<>();
        return new Broken()
                .taking(Request.ADD_MEM_REG, message -> {
                    added.put(message.longAt(REGION), message);
                    return message;
                })
                .taking(Request.REM_MEM_REG, message -> {
                    Message region = added.getOrDefault(message.longAt(REGION), message);
                    return message.withLong(REGION + 8, region.longAt(REGION + 8))
                            .withLong(REGION + 16, region.longAt(REGION + 16));
                });
    }

    /** A request of the back-end that needs a feature which was not negotiated. */
    private static Mutation unwanted(String requirement, int request) {
        return of(
                requirement,
                "request " + request + " of the back-end comes without its feature",
                () -> saying(message -> message.withRequest(request)));
    }

    /** The same with a channel that is never read. */
    private static Message withDeafChannel(Message message) {
        try {
            List<Fd> pair = UnixSockets.pair();
            pair.getFirst().close();
            message.close();
            return message.withFds(List.of(pair.getLast()));
        } catch (LinuxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Broken answersTwice() {
        List<Boolean> twice = new ArrayList<>();
        return new Broken()
                .onEveryRequest((message, line) -> {
                    if (ASKING.contains(message.request())) {
                        twice.add(message.needsReply());
                    }
                    return List.of(message);
                })
                .onEveryReply((message, line) -> ASKING.contains(message.request()) && twice.removeFirst()
                        ? List.of(message, Message.reply(message.request(), Payload.number(0)))
                        : List.of(message));
    }

    /** Offers CROSS_ENDIAN, which the real back-end does not have. */
    private static Broken oneByteOrder() {
        return new Broken()
                .withBits(Request.GET_PROTOCOL_FEATURES, CROSS_ENDIAN)
                .taking(
                        Request.SET_PROTOCOL_FEATURES,
                        message -> message.withLong(0, message.longAt(0) & ~CROSS_ENDIAN))
                .onRequest(Request.SET_VRING_ENDIAN, (message, line) -> {
                    if (message.intAt(4) == 0) {
                        line.acknowledge(message);
                    } else {
                        line.end();
                    }
                    return List.of();
                });
    }

    private static Broken beforeFeatures(int request) {
        return new Broken().onRequest(request, (message, line) -> {
            if (line.features() != 0) {
                return List.of(message);
            }
            message.close();
            line.end();
            return List.of();
        });
    }

    /** Closes the connection at a request after another one has come. */
    private static Broken closedAfter(int first, int then) {
        boolean[] came = new boolean[1];
        return new Broken().before(first, line -> came[0] = true).closingOn(then, message -> came[0]);
    }

    private static Broken refusedAfterReset() {
        boolean[] came = new boolean[1];
        return new Broken().onEveryRequest((message, line) -> {
            boolean reset = message.request() == Request.RESET_DEVICE
                    || message.request() == Request.SET_STATUS && message.longAt(0) == 0;
            came[0] |= reset;
            if (came[0] && message.request() == Request.SET_FEATURES) {
                line.end();
                return List.of();
            }
            return List.of(message);
        });
    }

    private static Broken statusStays() {
        long[] highest = new long[1];
        return new Broken().answering(Request.GET_STATUS, message -> {
            highest[0] |= message.longAt(0);
            return message.withLong(0, highest[0] == 0 ? 1 : highest[0]);
        });
    }

    /** Writes to the config space change what is read there, for any field. */
    private static Broken writableConfig() {
        Map<Integer, Byte> written = new HashMap<>();
        return new Broken()
                .onRequest(Request.SET_CONFIG, (message, line) -> {
                    for (int i = CONFIG_DATA; i < message.payload().length; i++) {
                        written.put(message.intAt(0) + i - CONFIG_DATA, message.payload()[i]);
                    }
                    return List.of(message);
                })
                .answering(Request.GET_CONFIG, message -> {
                    byte[] payload = message.payload().clone();
                    for (int i = CONFIG_DATA; i < payload.length; i++) {
                        payload[i] = written.getOrDefault(message.intAt(0) + i - CONFIG_DATA, payload[i]);
                    }
                    return message.withPayload(payload);
                });
    }

    private static List<Message> refuseOffset(Message message, Line line) throws LinuxException {
        if (message.longAt(8 + 24) != 0) {
            return List.of(message);
        }
        line.toFrontEnd(new Message(message.request(), Reply.REPLY_FLAGS, 8, Payload.number(1), List.of()));
        message.close();
        return List.of();
    }
}
