package org.exomem.conform.strict.observers;

import java.util.List;
import java.util.Map;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Request;

/** Headers of messages, descriptors that come with them, and answers. */
final class HeaderObservers {
    private static final int VERSION_BITS = 3;
    private static final int LAST_REQUEST = Request.GET_SHMEM_CONFIG;

    static final List<Observation> ALL = List.of(
            Observation.ofRequests(
                    "vhost.message.2",
                    "Numbers are in the byte order of the machine",
                    message -> true,
                    (message, scene) -> Integer.compareUnsigned(message.request(), LAST_REQUEST) <= 0
                            || Integer.compareUnsigned(Integer.reverseBytes(message.request()), LAST_REQUEST) > 0),
            Observation.looking(
                            "vhost.header.6",
                            "As many bytes of payload follow a header as its size field states",
                            (event, scene, tally) -> {
                                switch (event) {
                                    case Event.Requested(var message) -> tally.kept();
                                    case Event.Garbled(String why) -> tally.broken(why);
                                    default -> {}
                                }
                            })
                    .and("vhost.message.4"),
            Observation.looking("vhost.header.4", "Messages have version 1", (event, scene, tally) -> {
                if (event instanceof Event.Requested(var message)) {
                    tally.judge(
                            (message.flags() & VERSION_BITS) == Connection.VERSION,
                            message.name() + " has flags 0x" + Integer.toHexString(message.flags())
                                    + ", so its version is " + (message.flags() & VERSION_BITS));
                }
            }),
            Observation.looking(
                    "vhost.descriptor.1",
                    "The descriptors of a message come with the first byte of its header",
                    (event, scene, tally) -> {
                        if (event instanceof Event.Requested(var message)
                                && !message.fds().isEmpty()) {
                            tally.judge(
                                    message.late() == 0,
                                    message.late() + " of " + message.fds().size() + " descriptors of " + message.name()
                                            + " came later");
                        }
                    }),
            Observation.looking(
                    "vhost.channel.10", "CONFIG_CHANGE with need-reply is answered", (event, scene, tally) -> {
                        switch (event) {
                            case Event.Answered() -> tally.kept();
                            case Event.Unanswered(String why) -> tally.broken(why);
                            default -> {}
                        }
                    }),
            Observation.of(
                    "vhost.reply.10",
                    "The connection ends when a request with need-reply was answered with a failure",
                    () -> new EndsAfter(Event.Provoked.Kind.FAILURE)),
            Observation.of(
                    "vhost.error.1",
                    "The connection ends when a reply belongs to another request",
                    () -> new EndsAfter(Event.Provoked.Kind.WRONG_REPLY)));

    static final Map<String, String> UNWATCHED = Map.of(
            "vhost.connection.2",
                    "A permission: a front-end may connect or listen. The device listens, and can't be connected to"
                            + " a front-end"
                            + " that listens too.",
            "vhost.connection.3", "A permission. The run ends with the connection.",
            "vhost.event.4",
                    "An eventfd accepts only writes of 8 bytes: any other write never arrives, and appears as a missing"
                            + " notification.",
            "vhost.reply.7", "This is a permission, so nothing can break it.",
            "vhost.channel.8", "The device does not offer ACCESS_PLATFORM, so it does not use IOTLB messages.");

    private HeaderObservers() {}
}
