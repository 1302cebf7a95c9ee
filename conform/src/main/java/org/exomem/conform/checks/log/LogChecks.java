package org.exomem.conform.checks.log;

import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;

/** The log of written pages. */
public final class LogChecks {
    public static final List<Check> ALL = List.of();

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private LogChecks() {}
}
