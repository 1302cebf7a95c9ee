package org.exomem.conform.checks.balloon;

import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;

/** The balloon (VIRTIO 5.5). */
public final class BalloonChecks {
    public static final List<Check> ALL = List.of();

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private BalloonChecks() {}
}
