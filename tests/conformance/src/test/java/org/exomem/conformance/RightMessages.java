package org.exomem.conformance;

import java.io.IOException;
import java.util.List;
import org.exomem.conformance.Misdeed.Fds;
import org.exomem.conformance.frontend.InflightArea;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RingAddresses;
import org.exomem.linux.EventFd;
import org.exomem.linux.Fd;
import org.exomem.linux.SharedFile;
import org.exomem.linux.UnixSockets;

/** One valid example of every supported request, which tests alter. */
final class RightMessages {
    private static final long FAR = 1L << 40;

    private RightMessages() {}

    /**
     * @param fds makes the descriptors of the request
     * @param wrongFds makes as many, of a kind that the request can't use
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Right(String name, int request, byte[] payload, Fds fds, Fds wrongFds, boolean takesDescriptor) {}

    static List<Right> all() {
        return List.of(
                plain("GET_FEATURES", Request.GET_FEATURES, Payload.none()),
                plain("SET_FEATURES", Request.SET_FEATURES, Payload.number(EchoGuest.SPLIT)),
                plain("SET_OWNER", Request.SET_OWNER, Payload.none()),
                plain("RESET_OWNER", Request.RESET_OWNER, Payload.none()),
                with("SET_MEM_TABLE", Request.SET_MEM_TABLE, Payload.regions(List.of(far())), RightMessages::ramFile),
                with("SET_LOG_BASE", Request.SET_LOG_BASE, Payload.log(4096, 0), RightMessages::smallFile),
                withEvent("SET_LOG_FD", Request.SET_LOG_FD, Payload.none()),
                plain("SET_VRING_NUM", Request.SET_VRING_NUM, Payload.ring(2, 16)),
                plain(
                        "SET_VRING_ADDR",
                        Request.SET_VRING_ADDR,
                        Payload.ringAddresses(new RingAddresses(2, 0, 0, 0, 0, 0))),
                plain("SET_VRING_BASE", Request.SET_VRING_BASE, Payload.ring(2, 0)),
                plain("GET_VRING_BASE", Request.GET_VRING_BASE, Payload.ring(2, 0)),
                withEvent("SET_VRING_KICK", Request.SET_VRING_KICK, Payload.number(0)),
                withEvent("SET_VRING_CALL", Request.SET_VRING_CALL, Payload.number(0)),
                withEvent("SET_VRING_ERR", Request.SET_VRING_ERR, Payload.number(0)),
                plain("GET_PROTOCOL_FEATURES", Request.GET_PROTOCOL_FEATURES, Payload.none()),
                plain(
                        "SET_PROTOCOL_FEATURES",
                        Request.SET_PROTOCOL_FEATURES,
                        Payload.number(EchoGuest.EVERY_PROTOCOL_FEATURE)),
                plain("GET_QUEUE_NUM", Request.GET_QUEUE_NUM, Payload.none()),
                plain("SET_VRING_ENABLE", Request.SET_VRING_ENABLE, Payload.ring(2, 0)),
                new Right(
                        "SET_BACKEND_REQ_FD",
                        Request.SET_BACKEND_REQ_FD,
                        Payload.none(),
                        RightMessages::socket,
                        RightMessages::event,
                        true),
                plain("GET_CONFIG", Request.GET_CONFIG, Payload.config(0, 8, 0, new byte[8])),
                plain("SET_CONFIG", Request.SET_CONFIG, Payload.config(8, 8, 0, new byte[8])),
                plain("GET_INFLIGHT_FD", Request.GET_INFLIGHT_FD, Payload.inflight(new InflightArea(0, 0, 2, 64))),
                with(
                        "SET_INFLIGHT_FD",
                        Request.SET_INFLIGHT_FD,
                        Payload.inflight(new InflightArea(65536, 0, 2, 64)),
                        RightMessages::smallFile),
                plain("RESET_DEVICE", Request.RESET_DEVICE, Payload.none()),
                plain("GET_MAX_MEM_SLOTS", Request.GET_MAX_MEM_SLOTS, Payload.none()),
                with("ADD_MEM_REG", Request.ADD_MEM_REG, Payload.region(far()), RightMessages::ramFile),
                plain("SET_STATUS", Request.SET_STATUS, Payload.number(15)),
                plain("GET_STATUS", Request.GET_STATUS, Payload.none()));
    }

    private static Region far() {
        return new Region(FAR, 1 << 20, FAR, 0);
    }

    private static Right plain(String name, int request, byte[] payload) {
        return new Right(name, request, payload, guest -> List.of(), guest -> List.of(), false);
    }

    private static Right with(String name, int request, byte[] payload, Fds file) {
        return new Right(name, request, payload, file, RightMessages::event, true);
    }

    private static Right withEvent(String name, int request, byte[] payload) {
        return new Right(name, request, payload, RightMessages::event, RightMessages::smallFile, true);
    }

    @SuppressWarnings("resource") // the sender closes the descriptor
    static List<Fd> event(EchoGuest guest) throws IOException {
        return List.of(new EventFd().fd());
    }

    static List<Fd> ramFile(EchoGuest guest) throws IOException {
        return List.of(guest.ram.file().fd().duplicate());
    }

    /** 64 KiB. */
    @SuppressWarnings("resource") // the sender closes the descriptor
    static List<Fd> smallFile(EchoGuest guest) throws IOException {
        return List.of(SharedFile.memfd("small", 65536).fd());
    }

    static List<Fd> socket(EchoGuest guest) throws IOException {
        List<Fd> pair = UnixSockets.pair();
        pair.get(1).close();
        return List.of(pair.getFirst());
    }
}
