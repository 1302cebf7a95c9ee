package org.exomem.conform.checks.hostile;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.exomem.conform.check.Check;

/**
 * Front-ends and drivers that break the rules or disappear. The documents do not say what a back-end should do then.
 */
public final class HostileChecks {
    public static final List<Check> ALL = Stream.of(
                    MessageAttacks.ALL, MemoryAttacks.ALL, RingAttacks.ALL, SessionChecks.ALL)
            .flatMap(List::stream)
            .toList();

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private HostileChecks() {}
}
