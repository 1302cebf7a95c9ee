package org.exomem.conform.broken;

import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.exomem.conform.trial.FeatureNames;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;

/**
 * Features that exomem's devices do not have. The saboteur offers them, and implements them wrongly in one way each.
 */
final class OfferedMutations {
    private static final long RING_RESET = 1L << 40;
    private static final int RING_OF_NOBODY = 77;

    /** A rule about an answer does not apply without an answer. */
    private static final Stream<Mutation> UNSERVED = Stream.of(
                    unserved(
                            Protocol.SHMEM_MAP,
                            "vhost.answer.44",
                            "vhost.payload.27",
                            "vhost.shmem.3",
                            "vhost.shmem.4",
                            "vhost.shmem.5",
                            "vhost.shmem.6"),
                    unserved(Protocol.SHARED_OBJECT, "vhost.answer.41"),
                    unserved(
                            Protocol.INBAND_NOTIFICATIONS,
                            "vhost.channel.request.4",
                            "vhost.inband.4",
                            "vhost.inband.5",
                            "vhost.inband.6",
                            "vhost.inband.7"))
            .flatMap(List::stream);

    private static final List<Mutation> OWN = List.of(
            of("vhost.answer.22", "IOTLB_MSG is not answered", OfferedMutations::silentIotlb),
            of("vhost.iotlb.13", "IOTLB_MSG is not answered", OfferedMutations::silentIotlb),
            of(
                    "vhost.channel.request.5",
                    "BACKEND_VRING_ERR names another ring",
                    () -> telling(Payload.ring(RING_OF_NOBODY, 0))),
            of("vhost.inband.8", "BACKEND_VRING_ERR has no payload", () -> telling(Payload.none())),
            of("vhost.inband.9", "the number in BACKEND_VRING_ERR is 1", () -> telling(Payload.ring(0, 1))),
            // In-band notifications
            of(
                    "vhost.ring.7",
                    "VRING_KICK does not start a ring",
                    () -> offering(Protocol.INBAND_NOTIFICATIONS).ignoring(Request.VRING_KICK)),
            of(
                    "vhost.kick.7",
                    "VRING_KICK does not make the device process the ring",
                    () -> offering(Protocol.INBAND_NOTIFICATIONS).ignoring(Request.VRING_KICK)),
            of(
                    "vhost.kick.5",
                    "the kick descriptor is not heard with in-band notifications",
                    () -> offering(Protocol.INBAND_NOTIFICATIONS).taking(Request.SET_VRING_KICK, Fds::withDeafEvent)),
            of(
                    "vhost.err.4",
                    "the error descriptor is not signalled with in-band notifications",
                    () -> offering(Protocol.INBAND_NOTIFICATIONS).ignoring(Request.SET_VRING_ERR)),
            // An IOMMU
            of("vhost.address.2", "ring addresses are not translated", OfferedMutations::withoutTranslation),
            of("vhost.memory.5", "guest addresses are not translated", OfferedMutations::withoutTranslation),
            of(
                    "vhost.memory.6",
                    "the guest addresses of regions are used behind an IOMMU",
                    OfferedMutations::withoutTranslation),
            // Reset of a queue
            of("queue.reset.1", "a queue goes on after its reset", () -> resetting(RingMutations.neverStops())),
            of("queue.reset.5", "a queue keeps its size after its reset", () -> {
                int[] sizes = new int[1];
                return resetting(new Broken()).ignoring(Request.SET_VRING_NUM, message -> {
                    int before = sizes[0];
                    sizes[0] = message.intAt(0) == 0 ? message.intAt(4) : before;
                    return message.intAt(0) == 0 && before != 0;
                });
            }));

    static final List<Mutation> ALL = Stream.concat(UNSERVED, OWN.stream()).toList();

    private OfferedMutations() {}

    /** A protocol feature is offered and accepted, and nothing of it is implemented. */
    private static List<Mutation> unserved(long feature, String... requirements) {
        return Stream.of(requirements)
                .map(requirement -> of(
                        requirement,
                        FeatureNames.protocol(feature) + " is offered and not served",
                        () -> offering(feature)))
                .toList();
    }

    private static Broken offering(long feature) {
        return new Broken()
                .withBits(Request.GET_PROTOCOL_FEATURES, feature)
                .taking(Request.SET_PROTOCOL_FEATURES, message -> message.withLong(0, message.longAt(0) & ~feature));
    }

    private static Broken silentIotlb() {
        return withoutTranslation().silentOn(Request.IOTLB_MSG);
    }

    /** An error of a ring is reported in-band, with a wrong payload. */
    private static Broken telling(byte[] payload) {
        return offering(Protocol.INBAND_NOTIFICATIONS)
                .before(
                        Request.VRING_KICK,
                        line -> line.overChannel(Message.request(Request.BackEnd.VRING_ERR, payload)));
    }

    private static Mutation of(String requirement, String name, Supplier<Tampering> tampering) {
        return Mutation.of(requirement, name, tampering);
    }

    /** Accepts the IOTLB messages, and ignores them. */
    private static Broken withoutTranslation() {
        return new Broken()
                .withBits(Request.GET_FEATURES, Features.ACCESS_PLATFORM)
                .taking(
                        Request.SET_FEATURES,
                        message -> message.withLong(0, message.longAt(0) & ~Features.ACCESS_PLATFORM))
                .ignoring(Request.IOTLB_MSG);
    }

    /** What exomem's devices do at GET_VRING_BASE is a reset of the queue. */
    private static Broken resetting(Broken broken) {
        return broken.withBits(Request.GET_FEATURES, RING_RESET)
                .taking(Request.SET_FEATURES, message -> message.withLong(0, message.longAt(0) & ~RING_RESET));
    }
}
