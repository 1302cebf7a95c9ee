package org.exomem.conform.checks.config;

import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;

/** Config space, device status, reset, and the channel for the back-end's own requests. */
public final class ConfigChecks {
    public static final List<Check> ALL = List.of();

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private ConfigChecks() {}
}
