package org.exomem.conform.strict.observers;

import java.util.List;
import java.util.Map;
import org.exomem.conform.strict.front.FrontEndMessage;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.observe.Observer;
import org.exomem.conform.strict.observe.Tally;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Request;

/**
 * The device status as the driver writes it, and rules about its order. Visible only if the front-end forwards the
 * driver's writes: it does so if it sends ACKNOWLEDGE or DRIVER.
 */
final class DriverStatusObservers {
    private static final int STEPS = Scene.ACKNOWLEDGE | Scene.DRIVER | Scene.FEATURES_OK | Scene.DRIVER_OK;

    static final List<Observation> ALL = List.of(
            Observation.looking(
                            "status.1",
                            "The driver sets ACKNOWLEDGE, DRIVER, FEATURES_OK and DRIVER_OK in that order",
                            (event, scene, tally) -> {
                                int written = written(event);
                                if (written > 0 && isDrivers(scene, written)) {
                                    tally.judge(isInOrder(written & STEPS), "the status became 0x" + hex(written));
                                }
                            })
                    .and("init.1"),
            Observation.looking(
                    "status.2",
                    "The driver clears no bit of the status, except in a reset (all of them)",
                    (event, scene, tally) -> {
                        int written = written(event);
                        boolean suspends = ((written | scene.status()) & Scene.SUSPEND) != 0;
                        if (written >= 0 && isDrivers(scene, written) && !suspends) {
                            int cleared = scene.status() & ~Scene.NEEDS_RESET & ~written;
                            tally.judge(
                                    written == 0 || cleared == 0,
                                    "0x" + hex(written) + " was written, and 0x" + hex(cleared) + " was set before");
                        }
                    }),
            Observation.looking("status.3", "After FAILED the driver resets the device", (event, scene, tally) -> {
                int written = written(event);
                if (written >= 0 && (scene.status() & Scene.FAILED) != 0) {
                    tally.judge(written == 0, "0x" + hex(written) + " was written while FAILED was set");
                }
            }),
            Observation.looking(
                    "init.3",
                    "The driver does not write to the config space before FEATURES_OK",
                    (event, scene, tally) -> {
                        if (event instanceof Event.ConfigWritten(int offset, byte[] data) && scene.isDriverSeen()) {
                            tally.judge(
                                    (scene.status() & Scene.FEATURES_OK) != 0,
                                    data.length + " bytes at " + offset + " were written with status 0x"
                                            + hex(scene.status()));
                        }
                    }),
            Observation.looking(
                    "init.4", "The driver accepts no more features after FEATURES_OK", (event, scene, tally) -> {
                        if (event instanceof Event.Requested(FrontEndMessage message)
                                && message.is(Request.SET_FEATURES)
                                && scene.features().isPresent()
                                && (scene.status() & Scene.FEATURES_OK) != 0) {
                            long more = message.longAt(0) & ~scene.features().orElse(0) & ~Features.LOG_ALL;
                            tally.judge(
                                    more == 0,
                                    "bits 0x" + Long.toHexString(more) + " were added with status 0x"
                                            + hex(scene.status()));
                        }
                    }),
            Observation.looking(
                    "feature.8",
                    "The driver does not fail because the device offers a feature that it does not know",
                    (event, scene, tally) -> {
                        int written = written(event);
                        if (written >= 0 && (written & Scene.FAILED) != 0) {
                            tally.broken("the driver has set FAILED");
                        } else if (event instanceof Event.RingStarted(var ring)) {
                            tally.kept();
                        }
                    }),
            Observation.looking(
                    "suspend.1",
                    "SUSPEND is set only with DRIVER_OK set and the feature negotiated",
                    (event, scene, tally) -> {
                        if (suspends(event)) {
                            tally.judge(
                                    (scene.status() & Scene.DRIVER_OK) != 0 && scene.has(Features.SUSPEND),
                                    "the status was 0x" + hex(scene.status()) + ", and the feature was "
                                            + (scene.has(Features.SUSPEND) ? "" : "not ") + "negotiated");
                        }
                    }),
            Observation.of(
                    "suspend.2",
                    "After it has set SUSPEND the driver reads the status before it continues",
                    StatusReadAfter::suspending),
            Observation.of(
                    "suspend.6",
                    "After it has resumed the device the driver reads the status before it continues",
                    StatusReadAfter::resuming),
            Observation.looking(
                    "suspend.3",
                    "While the device is suspended no buffers are made available",
                    (event, scene, tally) -> {
                        if (suspends(event)) {
                            tally.kept();
                        } else if (event instanceof Event.Available(var ring, var chain) && isSuspended(scene)) {
                            tally.broken(ring + ": " + chain);
                        }
                    }),
            Observation.looking(
                    "suspend.4",
                    "While the device is suspended the driver does not notify it",
                    (event, scene, tally) -> {
                        if (suspends(event)) {
                            tally.kept();
                        } else if (event instanceof Event.Kicked(var ring, boolean asked, int found)
                                && isSuspended(scene)) {
                            tally.broken(ring + " was kicked");
                        }
                    }),
            Observation.looking(
                    "suspend.5",
                    "While the device is suspended the driver does not write to its config space",
                    (event, scene, tally) -> {
                        if (suspends(event)) {
                            tally.kept();
                        } else if (event instanceof Event.ConfigWritten(int offset, byte[] data)
                                && isSuspended(scene)) {
                            tally.broken(data.length + " bytes at " + offset + " were written");
                        }
                    }));

    static final Map<String, String> UNWATCHED = Map.of(
            "reset.3", "The device can't see which operations a driver considers complete.",
            "feature.6", "The device can't know which features a driver supports and misses.",
            "feature.7", "The device can't know which features a driver requires.",
            "config.4", "The VMM decides how large the config space is that the driver sees.",
            "config.5", "The VMM decides how large the config space is that the driver sees.",
            "queue.reset.6",
                    "vhost-user has no message that resets a single queue, so the device does not offer RING_RESET.",
            "cleanup.2", "The device can't see which buffers a driver reclaims.",
            "init.5", "Only the driver knows whether a step has failed irrecoverably.",
            "init.6", "Only the driver knows whether a step has failed irrecoverably.");

    private DriverStatusObservers() {}

    /** The status that an event writes; -1 if it writes none. */
    private static int written(Event event) {
        return event instanceof Event.Requested(FrontEndMessage message) && message.is(Request.SET_STATUS)
                ? (int) message.longAt(0) & 0xff
                : -1;
    }

    /** True if the written value is the driver's. */
    private static boolean isDrivers(Scene scene, int written) {
        return scene.isDriverSeen() || (written & (Scene.ACKNOWLEDGE | Scene.DRIVER)) != 0;
    }

    private static boolean isInOrder(int steps) {
        boolean driver = (steps & Scene.DRIVER) == 0 || (steps & Scene.ACKNOWLEDGE) != 0;
        boolean features = (steps & Scene.FEATURES_OK) == 0 || (steps & Scene.DRIVER) != 0;
        boolean ready = (steps & Scene.DRIVER_OK) == 0 || (steps & Scene.FEATURES_OK) != 0;
        return driver && features && ready;
    }

    private static boolean suspends(Event event) {
        int written = written(event);
        return written >= 0 && (written & Scene.SUSPEND) != 0;
    }

    private static boolean isSuspended(Scene scene) {
        return (scene.status() & Scene.SUSPEND) != 0;
    }

    private static String hex(int status) {
        return Integer.toHexString(status);
    }

    /** After a write of the status, the status is read before anything else is written or made available. */
    private static final class StatusReadAfter implements Observer {
        private final boolean suspending;
        private boolean due;

        private StatusReadAfter(boolean suspending) {
            this.suspending = suspending;
        }

        static StatusReadAfter suspending() {
            return new StatusReadAfter(true);
        }

        static StatusReadAfter resuming() {
            return new StatusReadAfter(false);
        }

        @Override
        public void see(Event event, Scene scene, Tally tally) {
            int written = written(event);
            if (event instanceof Event.Requested(FrontEndMessage message) && message.is(Request.GET_STATUS)) {
                if (due) {
                    tally.kept();
                }
                due = false;
            } else if (due && (written > 0 || event instanceof Event.Available)) {
                due = false;
                tally.broken("the driver continued without reading the status");
            }
            if (written > 0) {
                boolean suspends = (written & Scene.SUSPEND) != 0;
                due = suspending ? suspends : !suspends && isSuspended(scene);
            }
        }
    }
}
