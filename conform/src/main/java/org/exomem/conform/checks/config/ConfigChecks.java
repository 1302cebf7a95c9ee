package org.exomem.conform.checks.config;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.exomem.conform.check.Check;

/** Config space, device status, resets, suspended devices, and the back-end's own channel. */
public final class ConfigChecks {
    public static final List<Check> ALL = Stream.of(
                    ConfigSpaceChecks.ALL,
                    StatusChecks.ALL,
                    ResetChecks.ALL,
                    StoppedChecks.ALL,
                    ChannelChecks.ALL,
                    SuspendChecks.ALL)
            .flatMap(List::stream)
            .toList();

    private static final String MAY_USE_IT = "This is optional for a back-end, so nothing can break it.";
    private static final String NOBODY_CHANGES_IT =
            "Only the device changes its config space; the runner cannot trigger that.";
    private static final String OWN_REQUEST =
            "The device decides whether and when it sends such a message; the runner cannot trigger it.";

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.ofEntries(
            Map.entry("vhost.channel.1", MAY_USE_IT),
            Map.entry("vhost.channel.3", MAY_USE_IT),
            Map.entry("vhost.config.8", NOBODY_CHANGES_IT),
            Map.entry("suspend.10", NOBODY_CHANGES_IT),
            Map.entry("suspend.11", NOBODY_CHANGES_IT),
            Map.entry("vhost.channel.request.3", OWN_REQUEST),
            Map.entry("vhost.channel.request.6", OWN_REQUEST),
            Map.entry("vhost.channel.request.7", OWN_REQUEST),
            Map.entry("vhost.channel.request.8", OWN_REQUEST),
            Map.entry("vhost.channel.request.9", OWN_REQUEST),
            Map.entry("vhost.channel.request.10", OWN_REQUEST));

    private ConfigChecks() {}
}
