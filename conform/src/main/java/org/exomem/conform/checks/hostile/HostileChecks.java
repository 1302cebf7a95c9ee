package org.exomem.conform.checks.hostile;

import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;

/** What is malformed, out of order or cut short: it harms nobody but its sender. */
public final class HostileChecks {
    public static final List<Check> ALL = List.of();

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private HostileChecks() {}
}
