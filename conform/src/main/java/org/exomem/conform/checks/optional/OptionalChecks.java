package org.exomem.conform.checks.optional;

import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;

/** What few back-ends offer: IOMMU, post-copy, shared objects and memory, in-band notifications. */
public final class OptionalChecks {
    public static final List<Check> ALL = List.of();

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private OptionalChecks() {}
}
