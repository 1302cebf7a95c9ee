package org.exomem.conform.suite;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.exomem.conform.check.Check;
import org.exomem.conform.checks.balloon.BalloonChecks;
import org.exomem.conform.checks.config.ConfigChecks;
import org.exomem.conform.checks.features.FeatureChecks;
import org.exomem.conform.checks.hostile.HostileChecks;
import org.exomem.conform.checks.hostile.LeakChecks;
import org.exomem.conform.checks.inflight.InflightChecks;
import org.exomem.conform.checks.log.LogChecks;
import org.exomem.conform.checks.mem.MemChecks;
import org.exomem.conform.checks.memory.MemoryChecks;
import org.exomem.conform.checks.messages.MessageChecks;
import org.exomem.conform.checks.optional.OptionalChecks;
import org.exomem.conform.checks.program.ProgramChecks;
import org.exomem.conform.checks.rings.RingChecks;
import org.exomem.conform.checks.state.StateChecks;

/** All checks in the order in which they run: checks of the basics, on which the others depend, come first. */
public final class Suite {
    private static final List<Check> ALL = Stream.of(
                    FeatureChecks.ALL,
                    MessageChecks.ALL,
                    ConfigChecks.ALL,
                    MemoryChecks.ALL,
                    RingChecks.ALL,
                    LogChecks.ALL,
                    InflightChecks.ALL,
                    StateChecks.ALL,
                    OptionalChecks.ALL,
                    BalloonChecks.ALL,
                    MemChecks.ALL,
                    HostileChecks.ALL,
                    ProgramChecks.ALL,
                    LeakChecks.ALL)
            .flatMap(List::stream)
            .toList();

    private static final Map<String, String> UNTRIED = union(List.of(
            FeatureChecks.UNTRIED,
            MessageChecks.UNTRIED,
            ConfigChecks.UNTRIED,
            MemoryChecks.UNTRIED,
            RingChecks.UNTRIED,
            LogChecks.UNTRIED,
            InflightChecks.UNTRIED,
            StateChecks.UNTRIED,
            OptionalChecks.UNTRIED,
            BalloonChecks.UNTRIED,
            MemChecks.UNTRIED,
            HostileChecks.UNTRIED,
            ProgramChecks.UNTRIED,
            LeakChecks.UNTRIED));

    private Suite() {}

    public static List<Check> all() {
        return ALL;
    }

    /** Observable requirements of devices and back-ends that have no check, and why. */
    public static Map<String, String> untried() {
        return UNTRIED;
    }

    private static Map<String, String> union(List<Map<String, String>> parts) {
        Map<String, String> all = new TreeMap<>();
        parts.forEach(all::putAll);
        return Map.copyOf(all);
    }
}
