package org.exomem.conform.broken;

import java.util.List;
import java.util.function.Supplier;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Request;

/** Features that our devices do not have: the saboteur says that they have, and what it then does is wrong in one way each. */
final class OfferedMutations {
    private static final long RING_RESET = 1L << 40;

    static final List<Mutation> ALL = List.of(
            // In-band notifications
            of("vhost.ring.7", "VRING_KICK does not start a ring", () -> inband().ignoring(Request.VRING_KICK)),
            of(
                    "vhost.kick.7",
                    "VRING_KICK does not make the device process the ring",
                    () -> inband().ignoring(Request.VRING_KICK)),
            of(
                    "vhost.kick.5",
                    "the kick descriptor is not heard with in-band notifications",
                    () -> inband().taking(Request.SET_VRING_KICK, Fds::withDeafEvent)),
            of(
                    "vhost.err.4",
                    "the error descriptor is not signalled with in-band notifications",
                    () -> inband().ignoring(Request.SET_VRING_ERR)),
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

    private OfferedMutations() {}

    private static Mutation of(String requirement, String name, Supplier<Tampering> tampering) {
        return Mutation.of(requirement, name, tampering);
    }

    /** Takes what the IOTLB is told, and looks at none of it. */
    private static Broken withoutTranslation() {
        return new Broken()
                .withBits(Request.GET_FEATURES, Features.ACCESS_PLATFORM)
                .taking(
                        Request.SET_FEATURES,
                        message -> message.withLong(0, message.longAt(0) & ~Features.ACCESS_PLATFORM))
                .ignoring(Request.IOTLB_MSG);
    }

    private static Broken inband() {
        return new Broken()
                .withBits(Request.GET_PROTOCOL_FEATURES, Protocol.INBAND_NOTIFICATIONS)
                .taking(
                        Request.SET_PROTOCOL_FEATURES,
                        message -> message.withLong(0, message.longAt(0) & ~Protocol.INBAND_NOTIFICATIONS));
    }

    /** What our devices do at GET_VRING_BASE is a reset of the queue. */
    private static Broken resetting(Broken broken) {
        return broken.withBits(Request.GET_FEATURES, RING_RESET)
                .taking(Request.SET_FEATURES, message -> message.withLong(0, message.longAt(0) & ~RING_RESET));
    }
}
