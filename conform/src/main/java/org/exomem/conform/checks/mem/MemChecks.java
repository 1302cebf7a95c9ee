package org.exomem.conform.checks.mem;

import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;

/** The memory device (VIRTIO 5.15). */
public final class MemChecks {
    public static final List<Check> ALL = List.of();

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private MemChecks() {}
}
