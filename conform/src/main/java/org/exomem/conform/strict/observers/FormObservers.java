package org.exomem.conform.strict.observers;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.exomem.conform.strict.front.FrontEndMessage;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.wire.MessageText;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;

/** The payload and the descriptors of each request. */
final class FormObservers {
    private static final int NO_FD = 1 << 8;
    private static final int RING_STATE = 8;
    private static final int RING_ADDRESSES = 40;
    private static final int SINGLE_REGION = 8 + Payload.REGION_SIZE;
    private static final int TABLE_REGIONS = 8;
    private static final int LOG = 16;
    /** The size in the document, without the padding of a C structure. */
    private static final int INFLIGHT = 20;

    private static final Set<Integer> NUMBERS = Set.of(
            Request.SET_FEATURES,
            Request.SET_PROTOCOL_FEATURES,
            Request.SET_VRING_KICK,
            Request.SET_VRING_CALL,
            Request.SET_VRING_ERR,
            Request.SET_STATUS);

    private static final Set<Integer> RING_STATES = Set.of(
            Request.SET_VRING_NUM,
            Request.SET_VRING_BASE,
            Request.GET_VRING_BASE,
            Request.SET_VRING_ENABLE,
            Request.SET_VRING_ENDIAN,
            Request.VRING_KICK);

    static final List<Observation> ALL = all();

    static final Map<String, String> UNWATCHED = Map.of(
            "vhost.payload.15", "The device does not offer ACCESS_PLATFORM, so it does not use IOTLB messages.",
            "vhost.request.22", "The device does not offer ACCESS_PLATFORM, so it does not use IOTLB messages.",
            "vhost.region.3", "The device does not offer XEN_MMAP.",
            "vhost.payload.24", "The device does not offer SHARED_OBJECT.",
            "vhost.request.41", "The device does not offer SHARED_OBJECT.");

    private FormObservers() {}

    private static List<Observation> all() {
        List<Observation> all = new ArrayList<>();
        nothing(all, "vhost.request.1", Request.GET_FEATURES);
        number(all, "vhost.request.2", Request.SET_FEATURES);
        nothing(all, "vhost.request.3", Request.SET_OWNER);
        nothing(all, "vhost.request.4", Request.RESET_OWNER);
        all.add(Observation.ofRequest(
                "vhost.request.5",
                "SET_MEM_TABLE has a memory table, and a descriptor for each region",
                Request.SET_MEM_TABLE,
                message -> isTable(message) && message.fds().size() == message.intAt(0)));
        all.add(Observation.ofRequest(
                "vhost.request.6",
                "SET_LOG_BASE has a log description and its file, or without LOG_SHMFD a number",
                Request.SET_LOG_BASE,
                (message, scene) -> scene.hasProtocol(Protocol.LOG_SHMFD)
                        ? message.payload().length == LOG && message.fds().size() == 1
                        : message.payload().length == Long.BYTES));
        all.add(Observation.ofRequest(
                "vhost.request.7",
                "SET_LOG_FD has one descriptor and no payload",
                Request.SET_LOG_FD,
                message -> isEmpty(message) && message.fds().size() == 1));
        ringState(all, "vhost.request.8", Request.SET_VRING_NUM);
        all.add(Observation.ofRequest(
                        "vhost.request.9",
                        "SET_VRING_ADDR has ring addresses",
                        Request.SET_VRING_ADDR,
                        message -> message.payload().length == RING_ADDRESSES)
                .and("vhost.payload.10"));
        ringState(all, "vhost.request.10", Request.SET_VRING_BASE);
        ringState(all, "vhost.request.11", Request.GET_VRING_BASE);
        event(all, "vhost.request.12", Request.SET_VRING_KICK);
        event(all, "vhost.request.13", Request.SET_VRING_CALL);
        event(all, "vhost.request.14", Request.SET_VRING_ERR);
        eventGiven(all, "vhost.kick.1", Request.SET_VRING_KICK);
        eventGiven(all, "vhost.call.1", Request.SET_VRING_CALL);
        eventGiven(all, "vhost.err.1", Request.SET_VRING_ERR);
        nothing(all, "vhost.request.15", Request.GET_PROTOCOL_FEATURES);
        number(all, "vhost.request.16", Request.SET_PROTOCOL_FEATURES);
        nothing(all, "vhost.request.17", Request.GET_QUEUE_NUM);
        all.add(Observation.ofRequest(
                "vhost.request.18",
                "SET_VRING_ENABLE has a ring's index, and 0 or 1",
                Request.SET_VRING_ENABLE,
                message -> message.payload().length == RING_STATE && (message.intAt(4) & ~1) == 0));
        all.add(Observation.ofRequest(
                        "vhost.request.21",
                        "SET_BACKEND_REQ_FD has no payload, and one descriptor, a socket",
                        Request.SET_BACKEND_REQ_FD,
                        message -> isEmpty(message)
                                && message.fds().size() == 1
                                && message.fds().getFirst().description().startsWith("socket:"))
                .and("vhost.channel.2"));
        ringState(all, "vhost.request.23", Request.SET_VRING_ENDIAN);
        config(all, "vhost.request.24", Request.GET_CONFIG);
        config(all, "vhost.request.25", Request.SET_CONFIG);
        nothing(all, "vhost.request.28", Request.POSTCOPY_ADVISE);
        nothing(all, "vhost.request.29", Request.POSTCOPY_LISTEN);
        nothing(all, "vhost.request.30", Request.POSTCOPY_END);
        all.add(Observation.ofRequest(
                "vhost.request.31",
                "GET_INFLIGHT_FD has an in-flight payload",
                Request.GET_INFLIGHT_FD,
                FormObservers::isInflight));
        all.add(Observation.ofRequest(
                "vhost.request.32",
                "SET_INFLIGHT_FD has an in-flight payload, and the file of the area",
                Request.SET_INFLIGHT_FD,
                message -> isInflight(message) && message.fds().size() == 1));
        nothing(all, "vhost.request.34", Request.RESET_DEVICE);
        ringState(all, "vhost.request.35", Request.VRING_KICK);
        nothing(all, "vhost.request.36", Request.GET_MAX_MEM_SLOTS);
        all.add(Observation.ofRequest(
                "vhost.request.37",
                "ADD_MEM_REG has a single memory region, and its file",
                Request.ADD_MEM_REG,
                message -> message.payload().length == SINGLE_REGION
                        && message.fds().size() == 1));
        all.add(Observation.ofRequest(
                "vhost.request.38",
                "REM_MEM_REG has a single memory region",
                Request.REM_MEM_REG,
                message -> message.payload().length == SINGLE_REGION));
        all.add(Observation.ofRequest(
                "vhost.memory.15",
                "REM_MEM_REG has no descriptor",
                Request.REM_MEM_REG,
                message -> message.fds().isEmpty()));
        number(all, "vhost.request.39", Request.SET_STATUS);
        nothing(all, "vhost.request.40", Request.GET_STATUS);
        all.add(Observation.ofRequest(
                        "vhost.request.42",
                        "SET_DEVICE_STATE_FD has direction and phase, and one descriptor",
                        Request.SET_DEVICE_STATE_FD,
                        message -> message.payload().length == RING_STATE
                                && message.fds().size() == 1)
                .and("vhost.state.16"));
        all.add(Observation.ofRequest(
                "vhost.payload.25",
                "A state transfer saves (0) or loads (1), in phase 0",
                Request.SET_DEVICE_STATE_FD,
                message -> (message.intAt(0) & ~1) == 0 && message.intAt(4) == 0));
        nothing(all, "vhost.request.43", Request.CHECK_DEVICE_STATE);
        nothing(all, "vhost.request.44", Request.GET_SHMEM_CONFIG);
        payloads(all);
        return List.copyOf(all);
    }

    private static void payloads(List<Observation> all) {
        all.add(Observation.ofRequests(
                "vhost.payload.2",
                "A number has 8 bytes",
                message -> NUMBERS.contains(message.request()),
                (message, scene) -> message.payload().length == Long.BYTES));
        all.add(Observation.ofRequests(
                "vhost.payload.3",
                "A ring state has 8 bytes",
                message -> RING_STATES.contains(message.request()),
                (message, scene) -> message.payload().length == RING_STATE));
        all.add(Observation.ofRequests(
                "vhost.payload.7",
                "The position of a split ring has no bits above the index",
                message -> message.is(Request.SET_VRING_BASE),
                (message, scene) -> scene.has(Features.RING_PACKED) || message.intAt(4) >>> 16 == 0));
        all.add(new Observation(
                List.of("vhost.payload.9"),
                "The position of a packed ring has two positions in the ring",
                DeviceType.ANY,
                () -> (event, scene, tally) -> {
                    if (event instanceof Event.RingStarted(var ring) && scene.has(Features.RING_PACKED)) {
                        int base = ring.base().orElse(0);
                        int size = ring.size().orElse(1);
                        tally.judge(
                                (base & 0x7fff) < size && (base >>> 16 & 0x7fff) < size,
                                ring + " of " + size + " entries was started at 0x" + Integer.toHexString(base));
                    }
                }));
        all.add(Observation.ofRequests(
                "vhost.region.1",
                "A memory region has 32 bytes",
                message -> message.is(Request.ADD_MEM_REG)
                        || message.is(Request.REM_MEM_REG)
                        || message.is(Request.SET_MEM_TABLE),
                (message, scene) ->
                        message.payload().length >= 8 && (message.payload().length - 8) % Payload.REGION_SIZE == 0));
        all.add(Observation.ofRequests(
                "vhost.payload.11",
                "A single memory region has 40 bytes with its padding",
                message -> message.is(Request.ADD_MEM_REG) || message.is(Request.REM_MEM_REG),
                (message, scene) -> message.payload().length == SINGLE_REGION));
        all.add(Observation.ofRequest(
                "vhost.payload.12",
                "A memory table has as many regions as it states, at most 8",
                Request.SET_MEM_TABLE,
                FormObservers::isTable));
        all.add(Observation.ofRequests(
                "vhost.payload.17",
                "A config payload has as many bytes of the config space as it states",
                message -> message.is(Request.GET_CONFIG) || message.is(Request.SET_CONFIG),
                (message, scene) -> isConfig(message)));
        all.add(Observation.ofRequests(
                "vhost.payload.19",
                "The flags of a config payload are 0, or 1 for live migration",
                message -> message.is(Request.GET_CONFIG) || message.is(Request.SET_CONFIG),
                (message, scene) -> (message.intAt(8) & ~1) == 0));
        all.add(Observation.ofRequests(
                "vhost.payload.21",
                "An in-flight payload names at least one queue",
                message -> message.is(Request.GET_INFLIGHT_FD) || message.is(Request.SET_INFLIGHT_FD),
                (message, scene) -> isInflight(message) && message.shortAt(16) > 0 && message.shortAt(18) > 0));
    }

    private static String name(int request) {
        return MessageText.requestName(request);
    }

    private static void nothing(List<Observation> all, String id, int request) {
        all.add(Observation.ofRequest(id, name(request) + " has no payload", request, FormObservers::isEmpty));
    }

    private static void number(List<Observation> all, String id, int request) {
        Predicate<FrontEndMessage> right = message -> message.payload().length == Long.BYTES;
        all.add(Observation.ofRequest(id, name(request) + " has one number", request, right));
    }

    private static void ringState(List<Observation> all, String id, int request) {
        Predicate<FrontEndMessage> right = message -> message.payload().length == RING_STATE;
        all.add(Observation.ofRequest(id, name(request) + " has a ring state", request, right));
    }

    private static void event(List<Observation> all, String id, int request) {
        all.add(Observation.ofRequest(
                id,
                name(request) + " has one number of which bits 0 to 8 are used, and at most one descriptor",
                request,
                message -> message.payload().length == Long.BYTES
                        && message.longAt(0) >>> 9 == 0
                        && message.fds().size() <= 1));
    }

    private static void eventGiven(List<Observation> all, String id, int request) {
        all.add(Observation.ofRequest(
                id,
                name(request) + " has a descriptor unless its bit 8 is set",
                request,
                message -> ((message.longAt(0) & NO_FD) != 0) == message.fds().isEmpty()));
    }

    private static void config(List<Observation> all, String id, int request) {
        all.add(Observation.ofRequest(id, name(request) + " has a config payload", request, FormObservers::isConfig));
    }

    private static boolean isEmpty(FrontEndMessage message) {
        return message.payload().length == 0;
    }

    private static boolean isTable(FrontEndMessage message) {
        int regions = message.intAt(0);
        return regions >= 0
                && regions <= TABLE_REGIONS
                && message.payload().length == 8 + regions * Payload.REGION_SIZE;
    }

    private static boolean isConfig(FrontEndMessage message) {
        return message.payload().length >= Payload.CONFIG_HEADER_SIZE
                && message.intAt(4) == message.payload().length - Payload.CONFIG_HEADER_SIZE;
    }

    private static boolean isInflight(FrontEndMessage message) {
        return message.payload().length == INFLIGHT || message.payload().length == Payload.INFLIGHT_SIZE;
    }
}
