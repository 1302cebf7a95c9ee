package org.exomem.conformance.fuzz;

import java.util.List;
import java.util.random.RandomGenerator;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.InflightArea;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RingAddresses;

/**
 * A control message to mutate. It is valid in itself, but perhaps not in the state in which it is sent. Random bytes
 * would never get beyond the header.
 *
 * @param fds the descriptors sent with it, a character for each: {@code m} memory, {@code e} eventfd, {@code s} socket
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record ControlMessage(int request, byte[] payload, String fds) {
    /** The bytes of guest memory that every session shares. */
    static final long MEMORY = 1 << 20;

    private static final long FEATURES = Features.PROTOCOL_FEATURES | Features.VERSION_1;
    private static final long PROTOCOL_FEATURES = Protocol.MQ
            | Protocol.LOG_SHMFD
            | Protocol.REPLY_ACK
            | Protocol.BACKEND_REQ
            | Protocol.CONFIG
            | Protocol.INFLIGHT_SHMFD
            | Protocol.RESET_DEVICE
            | Protocol.CONFIGURE_MEM_SLOTS
            | Protocol.STATUS;
    private static final int QUEUES = 5;
    private static final int RING_SIZE = 64;

    /** The messages that a front-end sends before its rings start, so that mutants reach deep states. */
    static List<ControlMessage> preamble() {
        return List.of(
                of(Request.SET_PROTOCOL_FEATURES, Payload.number(PROTOCOL_FEATURES)),
                of(Request.SET_OWNER, Payload.none()),
                of(Request.SET_FEATURES, Payload.number(FEATURES)),
                new ControlMessage(Request.ADD_MEM_REG, Payload.region(memory()), "m"),
                of(Request.SET_VRING_NUM, Payload.ring(0, RING_SIZE)),
                of(Request.SET_VRING_BASE, Payload.ring(0, 0)),
                of(Request.SET_VRING_ADDR, Payload.ringAddresses(ring(0))),
                new ControlMessage(Request.SET_VRING_CALL, Payload.number(0), "e"),
                new ControlMessage(Request.SET_VRING_KICK, Payload.number(0), "e"),
                of(Request.SET_VRING_ENABLE, Payload.ring(0, 1)));
    }

    /** Any request, usually with plausible numbers. */
    static ControlMessage any(RandomGenerator random) {
        int queue = random.nextInt(QUEUES);
        return switch (random.nextInt(28)) {
            case 0 -> of(Request.GET_FEATURES, Payload.none());
            case 1 -> of(Request.SET_FEATURES, Payload.number(FEATURES | (1L << random.nextInt(64))));
            case 2 -> of(Request.RESET_OWNER, Payload.none());
            case 3 -> new ControlMessage(Request.SET_MEM_TABLE, Payload.regions(List.of(memory())), "m");
            case 4 -> new ControlMessage(Request.SET_LOG_BASE, Payload.log(4096, random.nextInt(3) * 2048L), "m");
            case 5 -> new ControlMessage(Request.SET_LOG_FD, Payload.none(), "e");
            case 6 -> of(Request.SET_VRING_NUM, Payload.ring(queue, 1 << random.nextInt(17)));
            case 7 -> of(Request.SET_VRING_ADDR, Payload.ringAddresses(ring(queue)));
            case 8 -> of(Request.SET_VRING_BASE, Payload.ring(queue, random.nextInt(1 << 16)));
            case 9 -> of(Request.GET_VRING_BASE, Payload.ring(queue, 0));
            case 10 -> new ControlMessage(Request.SET_VRING_KICK, Payload.number(queue), "e");
            case 11 -> of(Request.SET_VRING_KICK, Payload.number(queue | (1 << 8)));
            case 12 -> new ControlMessage(Request.SET_VRING_CALL, Payload.number(queue), "e");
            case 13 -> new ControlMessage(Request.SET_VRING_ERR, Payload.number(queue), "e");
            case 14 -> of(Request.SET_PROTOCOL_FEATURES, Payload.number(1L << random.nextInt(24)));
            case 15 -> of(Request.GET_QUEUE_NUM, Payload.none());
            case 16 -> of(Request.SET_VRING_ENABLE, Payload.ring(queue, random.nextInt(3)));
            case 17 -> new ControlMessage(Request.SET_BACKEND_REQ_FD, Payload.none(), "s");
            case 18 -> of(Request.GET_CONFIG, Payload.config(random.nextInt(20), 4, 0, new byte[4]));
            case 19 -> of(Request.SET_CONFIG, Payload.config(random.nextInt(20), 4, random.nextInt(3), new byte[4]));
            case 20 -> of(Request.GET_INFLIGHT_FD, Payload.inflight(new InflightArea(0, 0, QUEUES, RING_SIZE)));
            case 21 ->
                new ControlMessage(
                        Request.SET_INFLIGHT_FD, Payload.inflight(new InflightArea(65536, 0, 2, RING_SIZE)), "m");
            case 22 -> of(Request.RESET_DEVICE, Payload.none());
            case 23 -> of(Request.GET_MAX_MEM_SLOTS, Payload.none());
            case 24 -> new ControlMessage(Request.ADD_MEM_REG, Payload.region(elsewhere(random)), "m");
            case 25 -> of(Request.REM_MEM_REG, Payload.region(random.nextBoolean() ? memory() : elsewhere(random)));
            case 26 -> of(Request.SET_STATUS, Payload.number(random.nextInt(16)));
            default -> of(random.nextInt(50), new byte[random.nextInt(64)]);
        };
    }

    private static ControlMessage of(int request, byte[] payload) {
        return new ControlMessage(request, payload, "");
    }

    private static Region memory() {
        return new Region(0, MEMORY, MEMORY, 0);
    }

    private static Region elsewhere(RandomGenerator random) {
        long at = (1L + random.nextInt(16)) << 24;
        return new Region(at, MEMORY, at + MEMORY, 0);
    }

    private static RingAddresses ring(int index) {
        long at = MEMORY + 8192L * index;
        return new RingAddresses(index, index & 1, at, at + 4096, at + 2048, 4096);
    }
}
