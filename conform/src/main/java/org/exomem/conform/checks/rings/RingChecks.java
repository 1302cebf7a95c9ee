package org.exomem.conform.checks.rings;

import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;

/** Split and packed rings, their states, and notifications. */
public final class RingChecks {
    public static final List<Check> ALL = List.of();

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private RingChecks() {}
}
