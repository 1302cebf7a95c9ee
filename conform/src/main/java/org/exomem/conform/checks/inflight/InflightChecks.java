package org.exomem.conform.checks.inflight;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.exomem.conform.check.Check;

/** Requests in flight, and what happens to them when the back-end ends (INFLIGHT_SHMFD). */
public final class InflightChecks {
    public static final List<Check> ALL = Stream.of(SplitAreaChecks.ALL, PackedAreaChecks.ALL)
            .flatMap(List::stream)
            .toList();

    private static final String BATCHES =
            "Used entries may be published one by one or in batches, so nothing can break this.";

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of("vhost.inflight.8", BATCHES, "vhost.inflight.17", BATCHES);

    private InflightChecks() {}
}
