package org.exomem.conform.checks.optional;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.exomem.conform.check.Check;

/** Features that few back-ends offer: post-copy, in-band notifications, shared memory and objects, the IOTLB. */
public final class OptionalChecks {
    public static final List<Check> ALL = Stream.of(InbandChecks.ALL, PostcopyChecks.ALL, SharedMemoryChecks.ALL)
            .flatMap(List::stream)
            .toList();

    private static final String OWN_REQUEST =
            "The device decides whether and when it sends such a message; the runner cannot trigger it.";
    private static final String NO_IOMMU =
            "The runner's front-end has no IOMMU: it translates no addresses and answers no misses.";

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.ofEntries(
            Map.entry("vhost.iotlb.2", NO_IOMMU),
            Map.entry("vhost.iotlb.7", NO_IOMMU),
            Map.entry("vhost.iotlb.8", NO_IOMMU),
            Map.entry("vhost.iotlb.9", NO_IOMMU),
            Map.entry("vhost.iotlb.10", NO_IOMMU),
            Map.entry("vhost.iotlb.12", NO_IOMMU),
            Map.entry("vhost.payload.16", NO_IOMMU),
            Map.entry("vhost.channel.request.1", NO_IOMMU),
            Map.entry(
                    "vhost.postcopy.1",
                    "The runner's front-end does not migrate, so it has no pages that arrive later."),
            Map.entry("vhost.object.3", OWN_REQUEST),
            Map.entry("vhost.shmem.10", OWN_REQUEST),
            Map.entry("vhost.shmem.15", OWN_REQUEST),
            Map.entry("vhost.notifier.1", OWN_REQUEST));

    private OptionalChecks() {}
}
