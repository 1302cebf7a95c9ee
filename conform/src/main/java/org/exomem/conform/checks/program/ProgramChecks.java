package org.exomem.conform.checks.program;

import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;

/** The conventions for a back-end's program; they need a command that starts it. */
public final class ProgramChecks {
    public static final List<Check> ALL = List.of();

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private ProgramChecks() {}
}
