package org.exomem.conform.checks.features;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.FeatureNames;
import org.exomem.conform.trial.Outcome;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Payload;
import org.exomem.conformance.frontend.Request;

/** Which sets of features a back-end accepts. */
final class SubsetChecks {
    private static final int DRIVER = 1 | 2;
    private static final int FEATURES_OK = 8;
    private static final long NEEDED = Features.VERSION_1 | Features.PROTOCOL_FEATURES;

    /** Bits 24 to 49, which all device types share. None of these features depends on another. */
    private static final long COMMON = (1L << 50) - (1L << 24);

    static final List<Check> ALL = List.of(
            Check.of(
                    "feature.10",
                    "All offered features are accepted together, and so is each set that lacks one of them",
                    SubsetChecks::eachSubset),
            Check.of(
                    "feature.11",
                    "FEATURES_OK stays clear after features that the device does not offer",
                    SubsetChecks::unknownFeature),
            Check.of("feature.13", "Features are accepted again after a reset", SubsetChecks::sameAgain),
            Check.of(
                    "reserved.15",
                    "A driver without VERSION_1 is accepted or refused, and the next one, with VERSION_1, is served",
                    trial -> withoutAFeature(trial, Features.VERSION_1)),
            Check.of(
                    "reserved.17",
                    "A driver without ACCESS_PLATFORM is accepted or refused, and the back-end answers the next one",
                    trial -> withoutAFeature(trial, Features.ACCESS_PLATFORM)),
            Check.of(
                    "reserved.19",
                    "A driver without ORDER_PLATFORM is accepted or refused, and the back-end answers the next one",
                    trial -> withoutAFeature(trial, Features.ORDER_PLATFORM)));

    private SubsetChecks() {}

    private static void eachSubset(Trial trial) throws IOException {
        long offered;
        try (FrontEnd frontEnd = trial.connect()) {
            offered = frontEnd.getFeatures();
        }
        // For types without checks here, the dependencies between features are unknown. So their features are accepted
        // all together.
        boolean isKnown = trial.type() != DeviceType.ANY;
        long varied = (isKnown ? -1L : COMMON) & offered & ~NEEDED;
        List<Long> subsets = new ArrayList<>(List.of(offered, offered & ~varied));
        for (long left = varied; left != 0; left &= left - 1) {
            subsets.add(offered & ~Long.lowestOneBit(left));
        }
        for (long subset : subsets) {
            // Closed at once, because many back-ends serve one connection at a time.
            try (FrontEnd frontEnd = trial.connect()) {
                String refusal = refusal(trial, frontEnd, subset);
                trial.expect(
                        refusal.isEmpty(),
                        "the features 0x" + Long.toHexString(subset) + ", which lack "
                                + FeatureNames.features(offered & ~subset)
                                + " of those that are offered, were refused: "
                                + refusal);
            }
        }
    }

    /** Negotiates on a new connection. Returns how the back-end refused; empty if it did not. */
    private static String refusal(Trial trial, FrontEnd frontEnd, long features) throws IOException {
        long offered = frontEnd.getFeatures();
        if ((offered & Features.PROTOCOL_FEATURES) != 0) {
            frontEnd.setProtocolFeatures(
                    frontEnd.getProtocolFeatures() & (Protocol.REPLY_ACK | Protocol.STATUS | Protocol.RESET_DEVICE));
        }
        frontEnd.setOwner();
        return setFeatures(trial, frontEnd, features);
    }

    private static String setFeatures(Trial trial, FrontEnd frontEnd, long features) throws IOException {
        boolean hasStatus = hasStatus(frontEnd);
        if (hasStatus) {
            frontEnd.setStatus(DRIVER);
        }
        return switch (trial.attempt(frontEnd, Request.SET_FEATURES, Payload.number(features), List.of())) {
            case Outcome.RefusedBy(String how) -> how;
            case Outcome.ClosedConnection() -> "it closed the connection";
            case Outcome.Accepted() -> hasStatus && !takesFeaturesOk(frontEnd) ? "FEATURES_OK was not set" : "";
        };
    }

    private static boolean hasStatus(FrontEnd frontEnd) {
        return (frontEnd.protocolFeatures() & Protocol.STATUS) != 0;
    }

    private static boolean takesFeaturesOk(FrontEnd frontEnd) throws IOException {
        frontEnd.setStatus(DRIVER | FEATURES_OK);
        return (frontEnd.getStatus() & FEATURES_OK) != 0;
    }

    private static void unknownFeature(Trial trial) throws IOException {
        FrontEnd frontEnd = trial.connect();
        long offered = frontEnd.getFeatures();
        trial.requireFeatures(offered, Features.PROTOCOL_FEATURES);
        trial.requireProtocol(frontEnd.getProtocolFeatures(), Protocol.STATUS);
        // A ring layout that the device does not offer, or else an undefined bit.
        long notOffered = (offered & Features.RING_PACKED) == 0 ? Features.RING_PACKED : 1L << 49;
        trial.expect((offered & notOffered) == 0, "bit 49, which VIRTIO reserves, is offered");
        String refusal = refusal(trial, frontEnd, offered & NEEDED | notOffered);
        trial.expect(
                !refusal.isEmpty(),
                "FEATURES_OK is set after " + FeatureNames.features(notOffered) + ", which is not offered");
        trial.transcript().say("refused: " + refusal);
    }

    private static void sameAgain(Trial trial) throws IOException {
        long features;
        try (FrontEnd frontEnd = trial.connect()) {
            features = frontEnd.getFeatures();
            trial.expect(
                    refusal(trial, frontEnd, features).isEmpty(), "the offered features were refused at the start");
            if ((frontEnd.protocolFeatures() & Protocol.RESET_DEVICE) != 0) {
                frontEnd.resetDevice();
                expectAccepted(trial, setFeatures(trial, frontEnd, features), "RESET_DEVICE");
            }
            if (hasStatus(frontEnd)) {
                frontEnd.setStatus(0);
                expectAccepted(trial, setFeatures(trial, frontEnd, features), "a reset by SET_STATUS");
            }
        }
        try (FrontEnd frontEnd = trial.connect()) {
            expectAccepted(trial, refusal(trial, frontEnd, features), "a new connection");
        }
    }

    private static void expectAccepted(Trial trial, String refusal, String reset) {
        trial.expect(
                refusal.isEmpty(), "features that were accepted before are refused after " + reset + ": " + refusal);
    }

    private static void withoutAFeature(Trial trial, long feature) throws IOException {
        try (FrontEnd frontEnd = trial.connect()) {
            long offered = frontEnd.getFeatures();
            trial.requireFeatures(offered, feature);
            String refusal = refusal(trial, frontEnd, offered & ~feature);
            trial.transcript()
                    .say("a driver without " + FeatureNames.features(feature) + " is "
                            + (refusal.isEmpty() ? "accepted" : "refused: " + refusal));
        }
        if (feature == Features.VERSION_1) {
            Session next = trial.session(Wish.USUAL);
            if (trial.sample().isPresent()) {
                next.start().serve();
            }
            return;
        }
        try (FrontEnd next = trial.connect()) {
            String refusal = refusal(trial, next, next.getFeatures());
            if (!refusal.isEmpty()) {
                throw new Skipped("the back-end refuses a driver with all features too: " + refusal);
            }
        }
    }
}
