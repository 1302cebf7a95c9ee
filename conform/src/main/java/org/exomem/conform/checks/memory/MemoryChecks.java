package org.exomem.conform.checks.memory;

import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;

/** Memory tables, regions and addresses. */
public final class MemoryChecks {
    public static final List<Check> ALL = List.of();

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private MemoryChecks() {}
}
