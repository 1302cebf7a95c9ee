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
            "The device alone decides what a reasonable number is; nothing that it does with a long chain breaks this.",
            "ring.packed.list.8",
            "The device alone decides whether it limits a list; nothing that it does with a long list breaks this.",
            "ring.split.used.3",
            "The device may do it or not; the checks compare no bytes behind the used length.",
            "vhost.vring.10",
            "The device alone decides which requests it still has when the ring is to stop; none that it has to keep is known.");

    private RingChecks() {}
}
