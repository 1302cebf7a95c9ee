package org.exomem.conform.strict;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.exomem.conform.strict.serve.Provocation;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RequestRefusedException;
import org.exomem.conformance.frontend.WrongAnswerException;
import org.exomem.linux.EventFd;

/** Wrong headers, payloads and descriptors. */
final class WrongMessages {
    private static final int TOO_SHORT = 3;

    /** Requests whose form has a requirement of its own; sent with three bytes of payload. */
    private static final Map<String, Integer> FORMS = Map.ofEntries(
            Map.entry("vhost.request.1", Request.GET_FEATURES),
            Map.entry("vhost.request.2", Request.SET_FEATURES),
            Map.entry("vhost.request.3", Request.SET_OWNER),
            Map.entry("vhost.request.4", Request.RESET_OWNER),
            Map.entry("vhost.request.5", Request.SET_MEM_TABLE),
            Map.entry("vhost.request.6", Request.SET_LOG_BASE),
            Map.entry("vhost.request.7", Request.SET_LOG_FD),
            Map.entry("vhost.request.8", Request.SET_VRING_NUM),
            Map.entry("vhost.request.9", Request.SET_VRING_ADDR),
            Map.entry("vhost.request.10", Request.SET_VRING_BASE),
            Map.entry("vhost.request.11", Request.GET_VRING_BASE),
            Map.entry("vhost.request.12", Request.SET_VRING_KICK),
            Map.entry("vhost.request.13", Request.SET_VRING_CALL),
            Map.entry("vhost.request.14", Request.SET_VRING_ERR),
            Map.entry("vhost.request.15", Request.GET_PROTOCOL_FEATURES),
            Map.entry("vhost.request.16", Request.SET_PROTOCOL_FEATURES),
            Map.entry("vhost.request.17", Request.GET_QUEUE_NUM),
            Map.entry("vhost.request.18", Request.SET_VRING_ENABLE),
            Map.entry("vhost.request.21", Request.SET_BACKEND_REQ_FD),
            Map.entry("vhost.request.23", Request.SET_VRING_ENDIAN),
            Map.entry("vhost.request.24", Request.GET_CONFIG),
            Map.entry("vhost.request.25", Request.SET_CONFIG),
            Map.entry("vhost.request.28", Request.POSTCOPY_ADVISE),
            Map.entry("vhost.request.29", Request.POSTCOPY_LISTEN),
            Map.entry("vhost.request.30", Request.POSTCOPY_END),
            Map.entry("vhost.request.31", Request.GET_INFLIGHT_FD),
            Map.entry("vhost.request.32", Request.SET_INFLIGHT_FD),
            Map.entry("vhost.request.34", Request.RESET_DEVICE),
            Map.entry("vhost.request.35", Request.VRING_KICK),
            Map.entry("vhost.request.36", Request.GET_MAX_MEM_SLOTS),
            Map.entry("vhost.request.37", Request.ADD_MEM_REG),
            Map.entry("vhost.request.38", Request.REM_MEM_REG),
            Map.entry("vhost.request.39", Request.SET_STATUS),
            Map.entry("vhost.request.40", Request.GET_STATUS),
            Map.entry("vhost.request.42", Request.SET_DEVICE_STATE_FD),
            Map.entry("vhost.request.43", Request.CHECK_DEVICE_STATE),
            Map.entry("vhost.request.44", Request.GET_SHMEM_CONFIG),
            Map.entry("vhost.payload.2", Request.SET_STATUS),
            Map.entry("vhost.payload.3", Request.SET_VRING_NUM),
            Map.entry("vhost.region.1", Request.ADD_MEM_REG),
            Map.entry("vhost.payload.11", Request.REM_MEM_REG),
            Map.entry("vhost.payload.17", Request.GET_CONFIG));

    private WrongMessages() {}

    static Stream<Wrong> all() {
        Stream<Wrong> forms = FORMS.entrySet().stream()
                .map(each -> Wrong.of(each.getKey(), peer -> peer.send(each.getValue(), new byte[TOO_SHORT])));
        return Stream.concat(forms, Stream.concat(headers(), fields()));
    }

    private static Stream<Wrong> headers() {
        return Stream.of(
                Wrong.of(
                        "vhost.message.2",
                        peer -> peer.connect()
                                .connection()
                                .sendBytes(
                                        ByteBuffer.allocate(12)
                                                .order(
                                                        ByteOrder.nativeOrder() == ByteOrder.BIG_ENDIAN
                                                                ? ByteOrder.LITTLE_ENDIAN
                                                                : ByteOrder.BIG_ENDIAN)
                                                .putInt(Request.GET_FEATURES)
                                                .putInt(Connection.VERSION)
                                                .array(),
                                        List.of())),
                Wrong.of("vhost.header.6", peer -> {
                    byte[] bytes = Connection.encode(Request.SET_FEATURES, Connection.VERSION, Payload.number(0));
                    peer.connect().connection().sendBytes(Arrays.copyOf(bytes, bytes.length - 1), List.of());
                    peer.frontEnd().close();
                }),
                Wrong.of("vhost.header.4", peer -> peer.send(Request.GET_FEATURES, 2, Payload.none())),
                Wrong.of("vhost.descriptor.1", peer -> {
                    byte[] bytes = Connection.encode(Request.SET_VRING_CALL, Connection.VERSION, Payload.number(0));
                    Connection connection = peer.connect().connection();
                    connection.sendBytes(Arrays.copyOf(bytes, 4), List.of());
                    try (EventFd event = new EventFd()) {
                        connection.sendBytes(Arrays.copyOfRange(bytes, 4, bytes.length), List.of(event.fd()));
                    }
                }),
                Wrong.of("vhost.channel.10", peer -> {
                    peer.run(0, Protocol.CONFIG | Protocol.BACKEND_REQ | Protocol.REPLY_ACK);
                    // It is read and not answered.
                    peer.attached().channel().connection().receive();
                }),
                Wrong.of("vhost.reply.10", peer -> {
                            try {
                                peer.run(0, Protocol.REPLY_ACK | Protocol.BACKEND_REQ);
                            } catch (RequestRefusedException e) {
                                // The session continues nevertheless.
                            }
                        })
                        .provoked(Provocation.FAILURE),
                Wrong.of("vhost.error.1", peer -> {
                            peer.run(0, Protocol.CONFIG | Protocol.BACKEND_REQ);
                            try {
                                peer.frontEnd().getConfig(0, 16);
                            } catch (WrongAnswerException | java.io.IOException e) {
                                // The session continues nevertheless.
                            }
                        })
                        .provoked(Provocation.WRONG_REPLY));
    }

    private static Stream<Wrong> fields() {
        return Stream.of(
                Wrong.of("vhost.kick.1", peer -> peer.send(Request.SET_VRING_KICK, Payload.number(0))),
                Wrong.of("vhost.call.1", peer -> peer.send(Request.SET_VRING_CALL, Payload.number(0))),
                Wrong.of("vhost.err.1", peer -> {
                    try (EventFd event = new EventFd()) {
                        peer.send(Request.SET_VRING_ERR, Payload.number(1 << 8), event.fd());
                    }
                }),
                Wrong.of(
                        "vhost.memory.15",
                        peer -> peer.send(
                                Request.REM_MEM_REG,
                                Payload.region(peer.ram.regions().getFirst()),
                                peer.ram.file().fd())),
                Wrong.of("vhost.payload.25", peer -> peer.send(Request.SET_DEVICE_STATE_FD, Payload.deviceState(2, 0))),
                Wrong.of("vhost.payload.7", peer -> peer.send(Request.SET_VRING_BASE, Payload.ring(0, 0x1_0000))),
                Wrong.of("vhost.payload.9", peer -> {
                            var device = peer.attach(Features.RING_PACKED | Features.VERSION_1, 0);
                            device.start(device.addRing(0, 16), 20 | 1 << 15, false);
                        })
                        .with(Features.RING_PACKED),
                Wrong.of(
                        "vhost.payload.12",
                        peer -> peer.send(
                                Request.SET_MEM_TABLE,
                                ByteBuffer.allocate(8).putInt(9).array())),
                Wrong.of(
                        "vhost.payload.19",
                        peer -> peer.send(Request.SET_CONFIG, Payload.config(0, 4, 2, new byte[4]))),
                Wrong.of(
                        "vhost.payload.21",
                        peer -> peer.send(Request.GET_INFLIGHT_FD, new byte[Payload.INFLIGHT_SIZE])));
    }
}
