package org.exomem.conform.checks.log;

import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;

/** The dirty log. */
public final class LogChecks {
    public static final List<Check> ALL = RingKind.join(MarkChecks.ALL, LogAreaChecks.ALL);

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of(
            "vhost.log.1", "Offering LOG_ALL is optional; a back-end that does not offer it has no log to check.");

    private LogChecks() {}
}
