package org.exomem.conform.checks.inflight;

import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;

/** The record of requests that are in flight. */
public final class InflightChecks {
    public static final List<Check> ALL = List.of();

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private InflightChecks() {}
}
