package org.exomem.conform.checks.state;

import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;

/** Transfer of the device's state. */
public final class StateChecks {
    public static final List<Check> ALL = List.of();

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private StateChecks() {}
}
