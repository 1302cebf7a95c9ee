package org.exomem.conform.checks.messages;

import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;

/** Headers, payloads and answers of messages, and requests for confirmation. */
public final class MessageChecks {
    public static final List<Check> ALL = List.of();

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private MessageChecks() {}
}
