package org.exomem.conform.checks.hostile;

import java.io.IOException;
import java.util.List;
import org.exomem.conform.trial.Session;
import org.exomem.conformance.frontend.InflightArea;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.SharedFile;
import org.exomem.linux.UnixSockets;

/**
 * A well-formed example of a request, which attacks alter.
 *
 * @param fds makes the descriptors of the request; the caller closes them
 * @param wrongFds makes as many descriptors, of a kind that the request can't use
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record KnownMessage(String name, int request, byte[] payload, Fds fds, Fds wrongFds, boolean takesDescriptor) {
    /** A guest address without memory. */
    static final long FAR = 1L << 50;

    private static final long SMALL = 64 << 10;

    /** Makes the descriptors for one message. */
    @FunctionalInterface
    interface Fds {
        List<Fd> of(Session session) throws IOException;
    }

    static List<KnownMessage> all() {
        return List.of(
                plain("GET_FEATURES", Request.GET_FEATURES, Payload.none()),
                plain("SET_FEATURES", Request.SET_FEATURES, Payload.number(1L << 32 | 1L << 30)),
                plain("SET_OWNER", Request.SET_OWNER, Payload.none()),
                plain("RESET_OWNER", Request.RESET_OWNER, Payload.none()),
                withFile(
                        "SET_MEM_TABLE", Request.SET_MEM_TABLE, Payload.regions(List.of(far())), KnownMessage::ramFile),
                withFile("SET_LOG_BASE", Request.SET_LOG_BASE, Payload.log(4096, 0), KnownMessage::smallFile),
                withEvent("SET_LOG_FD", Request.SET_LOG_FD, Payload.none()),
                plain("SET_VRING_NUM", Request.SET_VRING_NUM, Payload.ring(0, 16)),
                plain(
                        "SET_VRING_ADDR",
                        Request.SET_VRING_ADDR,
                        Payload.ringAddresses(new RingAddresses(0, 0, 0, 0, 0, 0))),
                plain("SET_VRING_BASE", Request.SET_VRING_BASE, Payload.ring(0, 0)),
                plain("GET_VRING_BASE", Request.GET_VRING_BASE, Payload.ring(0, 0)),
                withEvent("SET_VRING_KICK", Request.SET_VRING_KICK, Payload.number(0)),
                withEvent("SET_VRING_CALL", Request.SET_VRING_CALL, Payload.number(0)),
                withEvent("SET_VRING_ERR", Request.SET_VRING_ERR, Payload.number(0)),
                plain("GET_PROTOCOL_FEATURES", Request.GET_PROTOCOL_FEATURES, Payload.none()),
                plain("SET_PROTOCOL_FEATURES", Request.SET_PROTOCOL_FEATURES, Payload.number(1 << 3)),
                plain("GET_QUEUE_NUM", Request.GET_QUEUE_NUM, Payload.none()),
                plain("SET_VRING_ENABLE", Request.SET_VRING_ENABLE, Payload.ring(0, 0)),
                new KnownMessage(
                        "SET_BACKEND_REQ_FD",
                        Request.SET_BACKEND_REQ_FD,
                        Payload.none(),
                        KnownMessage::socket,
                        KnownMessage::event,
                        true),
                plain("GET_CONFIG", Request.GET_CONFIG, Payload.config(0, 8, 0, new byte[8])),
                plain("SET_CONFIG", Request.SET_CONFIG, Payload.config(0, 4, 0, new byte[4])),
                plain("GET_INFLIGHT_FD", Request.GET_INFLIGHT_FD, Payload.inflight(new InflightArea(0, 0, 1, 64))),
                withFile(
                        "SET_INFLIGHT_FD",
                        Request.SET_INFLIGHT_FD,
                        Payload.inflight(new InflightArea(SMALL, 0, 1, 64)),
                        KnownMessage::smallFile),
                plain("RESET_DEVICE", Request.RESET_DEVICE, Payload.none()),
                plain("GET_MAX_MEM_SLOTS", Request.GET_MAX_MEM_SLOTS, Payload.none()),
                withFile("ADD_MEM_REG", Request.ADD_MEM_REG, Payload.region(far()), KnownMessage::ramFile),
                plain("REM_MEM_REG", Request.REM_MEM_REG, Payload.region(far())),
                plain("SET_STATUS", Request.SET_STATUS, Payload.number(15)),
                plain("GET_STATUS", Request.GET_STATUS, Payload.none()),
                new KnownMessage(
                        "SET_DEVICE_STATE_FD",
                        Request.SET_DEVICE_STATE_FD,
                        Payload.deviceState(0, 0),
                        KnownMessage::socket,
                        KnownMessage::event,
                        true));
    }

    private static Region far() {
        return new Region(FAR, 1 << 20, FAR, 0);
    }

    private static KnownMessage plain(String name, int request, byte[] payload) {
        return new KnownMessage(name, request, payload, session -> List.of(), session -> List.of(), false);
    }

    private static KnownMessage withFile(String name, int request, byte[] payload, Fds file) {
        return new KnownMessage(name, request, payload, file, KnownMessage::event, true);
    }

    private static KnownMessage withEvent(String name, int request, byte[] payload) {
        return new KnownMessage(name, request, payload, KnownMessage::event, KnownMessage::smallFile, true);
    }

    @SuppressWarnings("resource") // the sender closes the descriptor
    static List<Fd> event(Session session) throws IOException {
        return List.of(new EventFd().fd());
    }

    static List<Fd> ramFile(Session session) throws IOException {
        return List.of(session.ram().file().fd().duplicate());
    }

    @SuppressWarnings("resource") // the sender closes the descriptor
    static List<Fd> smallFile(Session session) throws IOException {
        return List.of(SharedFile.memfd("small", SMALL).fd());
    }

    static List<Fd> socket(Session session) throws IOException {
        List<Fd> pair = UnixSockets.pair();
        pair.get(1).close();
        return List.of(pair.getFirst());
    }
}
