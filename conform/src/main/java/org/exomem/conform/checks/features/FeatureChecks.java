package org.exomem.conform.checks.features;

import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Trial;
import org.exomem.conformance.frontend.Features;

/** What is offered. */
public final class FeatureChecks {
    public static final List<Check> ALL =
            List.of(Check.of("reserved.14", "VERSION_1 is offered", FeatureChecks::versionOneIsOffered));

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private FeatureChecks() {}

    private static void versionOneIsOffered(Trial trial) throws Exception {
        long offered = trial.connect().getFeatures();
        trial.expect((offered & Features.VERSION_1) != 0, "VERSION_1 (bit 32) is not offered");
    }
}
