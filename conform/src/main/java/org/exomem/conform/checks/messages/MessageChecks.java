package org.exomem.conform.checks.messages;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.exomem.conform.check.Check;

/** The form of messages, and which answer follows which request. */
public final class MessageChecks {
    public static final List<Check> ALL = Stream.of(
                    HeaderChecks.ALL, AnswerChecks.ALL, ReplyChecks.ALL, PositionChecks.ALL, ConductChecks.ALL)
            .flatMap(List::stream)
            .toList();

    private static final String OWN_REQUEST =
            "The device decides whether and when it sends such a message; the runner cannot trigger it.";

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of(
            "vhost.connection.1",
            "Both are allowed. The user selects one of them with --socket or --listen.",
            "vhost.descriptor.2",
            "A front-end that sends descriptors with another byte breaks a rule itself. Each check with guest memory"
                    + " shows that descriptors with the first byte are accepted.",
            "vhost.payload.20",
            OWN_REQUEST + " The message is BACKEND_VRING_HOST_NOTIFIER_MSG.",
            "vhost.payload.26",
            OWN_REQUEST + " The message is BACKEND_SHMEM_MAP.");

    private MessageChecks() {}
}
