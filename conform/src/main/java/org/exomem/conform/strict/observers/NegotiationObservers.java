package org.exomem.conform.strict.observers;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.observe.Observer;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Request;

/** Protocol features, the requests that need one, and ownership. */
final class NegotiationObservers {
    private static final long GET_VRING_BASE_INFLIGHT = 1L << 20;

    /** Requests that belong to a protocol feature. */
    private static final Map<Integer, Long> EXTENSIONS = Map.ofEntries(
            Map.entry(Request.SET_BACKEND_REQ_FD, Protocol.BACKEND_REQ),
            Map.entry(Request.SET_VRING_ENDIAN, Protocol.CROSS_ENDIAN),
            Map.entry(Request.GET_CONFIG, Protocol.CONFIG),
            Map.entry(Request.SET_CONFIG, Protocol.CONFIG),
            Map.entry(Request.POSTCOPY_ADVISE, Protocol.PAGEFAULT),
            Map.entry(Request.POSTCOPY_LISTEN, Protocol.PAGEFAULT),
            Map.entry(Request.POSTCOPY_END, Protocol.PAGEFAULT),
            Map.entry(Request.GET_INFLIGHT_FD, Protocol.INFLIGHT_SHMFD),
            Map.entry(Request.SET_INFLIGHT_FD, Protocol.INFLIGHT_SHMFD),
            Map.entry(Request.RESET_DEVICE, Protocol.RESET_DEVICE),
            Map.entry(Request.VRING_KICK, Protocol.INBAND_NOTIFICATIONS),
            Map.entry(Request.GET_MAX_MEM_SLOTS, Protocol.CONFIGURE_MEM_SLOTS),
            Map.entry(Request.ADD_MEM_REG, Protocol.CONFIGURE_MEM_SLOTS),
            Map.entry(Request.REM_MEM_REG, Protocol.CONFIGURE_MEM_SLOTS),
            Map.entry(Request.SET_STATUS, Protocol.STATUS),
            Map.entry(Request.GET_STATUS, Protocol.STATUS),
            Map.entry(Request.GET_SHARED_OBJECT, Protocol.SHARED_OBJECT),
            Map.entry(Request.SET_DEVICE_STATE_FD, Protocol.DEVICE_STATE),
            Map.entry(Request.CHECK_DEVICE_STATE, Protocol.DEVICE_STATE),
            Map.entry(Request.GET_SHMEM_CONFIG, Protocol.SHMEM_MAP));

    static final List<Observation> ALL = all();

    static final Map<String, String> UNWATCHED = Map.ofEntries(
            Map.entry("vhost.feature.7", "This is a permission, so nothing can break it."),
            Map.entry("vhost.feature.10", "This is a permission, so nothing can break it."),
            Map.entry("vhost.queue.6", "The device offers MQ, so that it can report its number of queues."),
            Map.entry("vhost.kick.4", "A permission, and the device does not offer INBAND_NOTIFICATIONS."),
            Map.entry("vhost.kick.6", "A permission, and the device does not offer INBAND_NOTIFICATIONS."),
            Map.entry("vhost.call.4", "A permission, and the device does not offer INBAND_NOTIFICATIONS."),
            Map.entry("vhost.err.3", "A permission, and the device does not offer INBAND_NOTIFICATIONS."),
            Map.entry("vhost.object.4", "The device does not offer SHARED_OBJECT."),
            Map.entry("vhost.object.6", "The device does not offer SHARED_OBJECT."),
            Map.entry("vhost.object.7", "The device does not offer SHARED_OBJECT."),
            Map.entry("vhost.object.9", "The device does not offer SHARED_OBJECT."),
            Map.entry("vhost.channel.11", "The device does not offer SHARED_OBJECT."),
            Map.entry("vhost.channel.12", "The device does not offer SHARED_OBJECT."),
            Map.entry("vhost.channel.answer.8", "The device does not offer SHARED_OBJECT."),
            Map.entry("vhost.channel.13", "The device has no shared memory region, so it does not offer SHMEM_MAP."),
            Map.entry("vhost.channel.14", "The device has no shared memory region, so it does not offer SHMEM_MAP."),
            Map.entry("vhost.shmem.9", "The device has no shared memory region, so it does not offer SHMEM_MAP."));

    private NegotiationObservers() {}

    private static List<Observation> all() {
        List<Observation> all = new ArrayList<>();
        all.add(Observation.looking(
                "vhost.feature.1",
                "An extension of the protocol is used only after its feature was negotiated",
                (event, scene, tally) -> {
                    if (event instanceof Event.Requested(var message)) {
                        Long needed = EXTENSIONS.get(message.request());
                        if (needed != null) {
                            tally.judge(
                                    scene.hasProtocol(needed),
                                    message.name() + " was sent, but its protocol feature was not acknowledged");
                        }
                    }
                }));
        only(all, "vhost.memory.1", "CONFIGURE_MEM_SLOTS", Request.ADD_MEM_REG, Request.REM_MEM_REG);
        only(all, "vhost.config.3", "CONFIG", Request.GET_CONFIG);
        only(all, "vhost.inflight.25", "INFLIGHT_SHMFD", Request.GET_INFLIGHT_FD);
        only(all, "vhost.inflight.27", "INFLIGHT_SHMFD", Request.SET_INFLIGHT_FD);
        only(all, "vhost.status.3", "STATUS", Request.GET_STATUS);
        only(all, "vhost.object.1", "SHARED_OBJECT", Request.GET_SHARED_OBJECT);
        only(all, "vhost.state.27", "DEVICE_STATE", Request.SET_DEVICE_STATE_FD);
        only(all, "vhost.state.29", "DEVICE_STATE", Request.CHECK_DEVICE_STATE);
        only(all, "vhost.shmem.2", "SHMEM_MAP", Request.GET_SHMEM_CONFIG);
        only(all, "vhost.endian.1", "CROSS_ENDIAN", Request.SET_VRING_ENDIAN);
        all.add(Observation.ofRequest(
                "vhost.iotlb.14",
                "IOTLB_MSG is sent only with ACCESS_PLATFORM",
                Request.IOTLB_MSG,
                (message, scene) -> scene.has(Features.ACCESS_PLATFORM)));
        all.add(Observation.ofRequest(
                "vhost.reset.4",
                "RESET_DEVICE is sent only if it is offered",
                Request.RESET_DEVICE,
                (message, scene) -> offers(scene, Protocol.RESET_DEVICE)));
        all.add(Observation.ofRequest(
                "vhost.queue.7",
                "GET_QUEUE_NUM is sent only if MQ is offered",
                Request.GET_QUEUE_NUM,
                (message, scene) -> offers(scene, Protocol.MQ)));
        all.add(Observation.ofRequest(
                "vhost.feature.6",
                "GET_PROTOCOL_FEATURES is sent only if bit 30 is offered",
                Request.GET_PROTOCOL_FEATURES,
                (message, scene) -> offersBit30(scene)));
        all.add(Observation.ofRequest(
                "vhost.feature.9",
                "SET_PROTOCOL_FEATURES is sent only if bit 30 is offered",
                Request.SET_PROTOCOL_FEATURES,
                (message, scene) -> offersBit30(scene)));
        all.add(Observation.ofRequest(
                "vhost.queue.8",
                "SET_VRING_ENABLE is sent only after bit 30 was negotiated",
                Request.SET_VRING_ENABLE,
                (message, scene) -> scene.has(Features.PROTOCOL_FEATURES)));
        all.add(Observation.ofRequest(
                "vhost.channel.6",
                "SET_BACKEND_REQ_FD is sent only if bit 30 and BACKEND_REQ are offered, and protocol features were"
                        + " negotiated",
                Request.SET_BACKEND_REQ_FD,
                (message, scene) -> offersBit30(scene)
                        && offers(scene, Protocol.BACKEND_REQ)
                        && scene.protocolFeatures().isPresent()));
        all.add(Observation.ofRequest(
                "vhost.inband.2",
                "INBAND_NOTIFICATIONS is acknowledged only with BACKEND_REQ and REPLY_ACK",
                Request.SET_PROTOCOL_FEATURES,
                (message, scene) -> (message.longAt(0) & Protocol.INBAND_NOTIFICATIONS) == 0
                        || (message.longAt(0) & (Protocol.BACKEND_REQ | Protocol.REPLY_ACK))
                                == (Protocol.BACKEND_REQ | Protocol.REPLY_ACK)));
        all.add(Observation.ofRequest(
                "vhost.inband.3",
                "VRING_KICK has need-reply",
                Request.VRING_KICK,
                (message, scene) -> message.needsReply()));
        all.add(Observation.ofRequest(
                "vhost.kick.8", "The number in VRING_KICK is 0", Request.VRING_KICK, message -> message.intAt(4) == 0));
        all.add(Observation.ofRequest(
                "vhost.vring.11",
                "GET_VRING_BASE_INFLIGHT is acknowledged only with INFLIGHT_SHMFD",
                Request.SET_PROTOCOL_FEATURES,
                (message, scene) -> (message.longAt(0) & GET_VRING_BASE_INFLIGHT) == 0
                        || (message.longAt(0) & Protocol.INFLIGHT_SHMFD) != 0));
        all.add(Observation.of(
                "vhost.owner.1", "SET_OWNER comes before memory and rings", NegotiationObservers::owner));
        all.add(Observation.looking("vhost.owner.3", "RESET_OWNER is not sent", (event, scene, tally) -> {
            switch (event) {
                case Event.Requested(var message)
                when message.is(Request.RESET_OWNER) -> tally.broken("RESET_OWNER was sent");
                case Event.RingStopping(var ring) -> tally.kept();
                default -> {}
            }
        }));
        return List.copyOf(all);
    }

    private static Observer owner() {
        return (event, scene, tally) -> {
            if (event instanceof Event.Requested(var message)
                    && (message.is(Request.SET_MEM_TABLE)
                            || message.is(Request.ADD_MEM_REG)
                            || message.is(Request.SET_VRING_NUM))
                    && scene.count(message.request()) == 0) {
                tally.judge(scene.count(Request.SET_OWNER) > 0, message.name() + " was sent before SET_OWNER");
            }
        };
    }

    /** These requests may be sent only with a protocol feature. */
    private static void only(List<Observation> all, String id, String feature, int... requests) {
        List<Integer> wanted = java.util.Arrays.stream(requests).boxed().toList();
        String names = String.join(
                " and ",
                wanted.stream()
                        .map(org.exomem.conform.wire.MessageText::requestName)
                        .toList());
        long needed = EXTENSIONS.getOrDefault(requests[0], 0L);
        all.add(Observation.ofRequests(
                id,
                names + " is sent only with " + feature + " negotiated",
                message -> wanted.contains(message.request()),
                (message, scene) -> scene.hasProtocol(needed)));
    }

    private static boolean offers(Scene scene, long protocolFeature) {
        return (scene.offer().protocolFeatures() & protocolFeature) != 0;
    }

    private static boolean offersBit30(Scene scene) {
        return (scene.offer().features() & Features.PROTOCOL_FEATURES) != 0;
    }
}
