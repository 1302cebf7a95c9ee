package org.exomem.conform.strict.serve;

import java.util.ArrayList;
import java.util.List;
import org.exomem.conform.strict.front.FrontEndMessage;
import org.exomem.conform.strict.scene.Offer;
import org.exomem.conform.strict.scene.Scene;
import org.exomem.conform.trial.FeatureNames;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.Request;

/** Behaviour of a front-end that no document forbids, but that its developers may want to know. For one thread. */
final class SessionNotes {
    /** Features that a driver of a balloon or a memory device should not accept. */
    private static final long NOT_A_DRIVERS = Features.LOG_ALL | Features.SR_IOV | Offer.UNDEFINED;

    private int starts;
    private int stops;
    private int changes;
    private int statusReads;
    private final List<String> others = new ArrayList<>();

    void requested(FrontEndMessage message, Scene scene) {
        if (message.is(Request.GET_STATUS) && scene.isRunning()) {
            statusReads++;
        }
    }

    void started() {
        starts++;
    }

    void stopped() {
        stops++;
    }

    void configChanged() {
        changes++;
    }

    private static String times(int count) {
        return count == 1 ? "once" : count + " times";
    }

    void add(String line) {
        others.add(line);
    }

    List<String> lines(Scene scene) {
        List<String> all = new ArrayList<>();
        long refused =
                scene.offer().protocolFeatures() & ~scene.protocolFeatures().orElse(0);
        if (scene.protocolFeatures().isPresent() && refused != 0) {
            all.add("offered protocol features that were not accepted: " + FeatureNames.protocol(refused));
        }
        long left = scene.offer().features() & ~scene.features().orElse(0) & ~NOT_A_DRIVERS;
        if (scene.features().isPresent() && left != 0) {
            all.add("offered features that were not accepted: "
                    + FeatureNames.features(left, scene.offer().device()));
        }
        if (scene.hasProtocol(Protocol.INFLIGHT_SHMFD) && starts > 0 && scene.count(Request.GET_INFLIGHT_FD) == 0) {
            all.add("INFLIGHT_SHMFD was negotiated, but no in-flight area was requested: requests in flight are lost or"
                    + " executed twice when the back-end restarts");
        }
        if ((scene.offer().protocolFeatures() & Protocol.RESET_DEVICE) != 0
                && stops > 0
                && scene.count(Request.RESET_DEVICE) == 0) {
            all.add("RESET_DEVICE is offered and rings were stopped " + times(stops)
                    + ", but it was never sent: a reset of the machine looks like a stop");
        }
        if (scene.hasProtocol(Protocol.STATUS) && changes > 0 && statusReads == 0) {
            all.add("the device status was not read while the device ran, after " + changes
                    + (changes == 1 ? " config change" : " config changes")
                    + ": the driver does not learn of DEVICE_NEEDS_RESET");
        }
        all.addAll(others);
        return all;
    }
}
