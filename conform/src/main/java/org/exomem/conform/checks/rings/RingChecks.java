package org.exomem.conform.checks.rings;

import java.util.List;
import java.util.Map;
import org.exomem.conform.check.Check;
import org.exomem.conform.check.RingKind;

/** Rings: their setup, start and stop, content, and notifications. */
public final class RingChecks {
    public static final List<Check> ALL = RingKind.join(
            RingStateChecks.ALL,
            PositionChecks.ALL,
            NotificationChecks.ALL,
            SplitNotificationChecks.ALL,
            BufferChecks.ALL,
            IndirectChecks.ALL,
            InbandRingChecks.ALL,
            StoppedDeviceChecks.ALL);

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of(
            "ring.split.framing.2",
            "The device decides what a reasonable number is, so no handling of a long chain can break this.",
            "ring.packed.list.8",
            "The device decides whether it limits a list, so no handling of a long list can break this.",
            "ring.split.used.3",
            "This is optional for the device; the checks compare no bytes after the used length.",
            "vhost.vring.10",
            "The device decides which requests are in flight when the ring stops; the runner knows none that must be.");

    private RingChecks() {}
}
