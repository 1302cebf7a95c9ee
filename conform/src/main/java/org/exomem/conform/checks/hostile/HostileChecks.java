package org.exomem.conform.checks.hostile;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.exomem.conform.check.Check;

/** What the documents leave to good sense: front-ends and drivers that break the rules, or just disappear. */
public final class HostileChecks {
    public static final List<Check> ALL = Stream.of(
                    MessageAttacks.ALL, MemoryAttacks.ALL, RingAttacks.ALL, SessionChecks.ALL)
            .flatMap(List::stream)
            .toList();

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private HostileChecks() {}
}
