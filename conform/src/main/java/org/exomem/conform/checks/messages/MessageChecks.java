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
            "The device alone decides whether and when it sends such a message; nothing that"
                    + " a front-end or driver does makes it do so.";

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of(
            "vhost.connection.1",
            "Either is right. Which of them a back-end does, the runner is told by its user: --socket or --listen.",
            "vhost.descriptor.2",
            "A front-end that sends descriptors with another byte breaks a rule of its own. That those with the first byte are"
                    + " taken, every check with guest memory shows.",
            "vhost.payload.20",
            OWN_REQUEST + " It is BACKEND_VRING_HOST_NOTIFIER_MSG.",
            "vhost.payload.26",
            OWN_REQUEST + " It is BACKEND_SHMEM_MAP.");

    private MessageChecks() {}
}
