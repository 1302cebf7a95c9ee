package org.exomem.conform.checks.features;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.exomem.conform.check.Check;

/** Which features are offered and accepted, and that no other feature is used. */
public final class FeatureChecks {
    public static final List<Check> ALL = Stream.of(OfferChecks.ALL, SubsetChecks.ALL, UseChecks.ALL)
            .flatMap(List::stream)
            .toList();

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of(
            "feature.9",
            "No feature of a balloon or memory device depends on another one. Neither does a common feature of all"
                    + " types that vhost-user can carry. The runner does not know the dependencies of other types'"
                    + " features.");

    private FeatureChecks() {}
}
