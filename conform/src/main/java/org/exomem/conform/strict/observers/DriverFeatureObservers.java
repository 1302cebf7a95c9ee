package org.exomem.conform.strict.observers;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.exomem.conform.strict.front.FrontEndMessage;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.ring.Descriptor;
import org.exomem.conform.strict.scene.Event;
import org.exomem.conform.strict.scene.Offer;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.FeatureNames;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.BalloonFeatures;

/** The features that a driver accepts. The front-end sends them in SET_FEATURES, together with two bits of its own. */
final class DriverFeatureObservers {
    private static final long FRONT_ENDS_OWN = Features.LOG_ALL | Features.PROTOCOL_FEATURES;
    /** Feature bit of the memory device. */
    private static final long UNPLUGGED_INACCESSIBLE = 1L << 1;

    static final List<Observation> ALL = all();

    static final Map<String, String> UNWATCHED = Map.of(
            "feature.2", "None of the features that the device offers depends on another one.",
            "reserved.2", "A permission, and the device offers VERSION_1.",
            "reserved.3", "The device can't translate addresses, so it does not offer ACCESS_PLATFORM.",
            "reserved.4", "The device can't translate addresses, so it does not offer ACCESS_PLATFORM.",
            "reserved.13",
                    "vhost-user carries no data with a notification, so the device does not offer NOTIF_CONFIG_DATA.");

    private DriverFeatureObservers() {}

    private static List<Observation> all() {
        List<Observation> all = new ArrayList<>();
        all.add(Observation.looking(
                "feature.1", "The driver accepts no feature that the device does not offer", (event, scene, tally) -> {
                    if (isChoice(event)) {
                        long more = accepted(event) & ~scene.offer().features();
                        tally.judge(more == 0, "it accepted " + FeatureNames.features(more));
                    }
                }));
        all.add(Observation.looking(
                        "feature.5", "The driver accepts no feature bit that is undefined", (event, scene, tally) -> {
                            if (isChoice(event) && offers(scene, Offer.UNDEFINED)) {
                                tally.judge(
                                        (accepted(event) & Offer.UNDEFINED) == 0,
                                        "it accepted bit 22, which neither a balloon nor a memory device has");
                            }
                        })
                .and("feature.4"));
        accepts(all, "reserved.1", "VERSION_1", Features.VERSION_1, DeviceType.ANY);
        accepts(all, "reserved.6", "RING_PACKED", Features.RING_PACKED, DeviceType.ANY);
        accepts(all, "reserved.7", "ORDER_PLATFORM", Features.ORDER_PLATFORM, DeviceType.ANY);
        accepts(all, "balloon.feature.1", "MUST_TELL_HOST", BalloonFeatures.MUST_TELL_HOST, DeviceType.BALLOON);
        accepts(all, "mem.init.1", "UNPLUGGED_INACCESSIBLE", UNPLUGGED_INACCESSIBLE, DeviceType.MEM);
        all.add(Observation.looking(
                "reserved.10",
                "The driver does not accept SR_IOV, for which a PCI device needs a capability",
                (event, scene, tally) -> {
                    if (isChoice(event) && offers(scene, Features.SR_IOV)) {
                        tally.judge(
                                (accepted(event) & Features.SR_IOV) == 0,
                                "it accepted SR_IOV; a device behind vhost-user has no such capability");
                    }
                }));
        all.add(Observation.looking(
                "reserved.5",
                "Without ACCESS_PLATFORM, buffers are at guest physical addresses",
                (event, scene, tally) -> {
                    if (event instanceof Event.Available(var ring, var chain) && !scene.has(Features.ACCESS_PLATFORM)) {
                        for (Descriptor buffer : chain.buffers()) {
                            tally.judge(
                                    scene.memory().guest(buffer.address(), buffer.length()) != null,
                                    ring + ": " + buffer + " is not in guest memory");
                        }
                    }
                }));
        return List.copyOf(all);
    }

    private static void accepts(List<Observation> all, String id, String name, long feature, DeviceType device) {
        all.add(Observation.looking(id, "The driver accepts " + name + " if it is offered", (event, scene, tally) -> {
                    if (isChoice(event) && offers(scene, feature)) {
                        tally.judge((accepted(event) & feature) != 0, "it did not accept the feature");
                    }
                })
                .on(device));
    }

    private static boolean isChoice(Event event) {
        // A front-end may set features before there is a driver. They then contain none that a driver chooses.
        return event instanceof Event.Requested(FrontEndMessage message)
                && message.is(Request.SET_FEATURES)
                && (message.longAt(0) & ~FRONT_ENDS_OWN) != 0;
    }

    private static long accepted(Event event) {
        return event instanceof Event.Requested(FrontEndMessage message) ? message.longAt(0) & ~FRONT_ENDS_OWN : 0;
    }

    private static boolean offers(Scene scene, long feature) {
        return (scene.offer().features() & feature) != 0;
    }
}
