package org.exomem.conform.checks.features;

import java.io.IOException;
import java.util.List;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.FeatureNames;
import org.exomem.conform.trial.Trial;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;

/** Which feature bits a back-end offers, and that it returns them on request. */
final class OfferChecks {
    /** Bits 25 and 31 were never defined, and 44 to 49 are reserved (VIRTIO 1.4, 2.2 and 6). */
    private static final long UNDEFINED = 1L << 25 | 1L << 31 | 0x3fL << 44;

    /** Bits of the device type: 0 to 23, and 50 to 63 of the 64 bits that vhost-user carries. */
    private static final long OF_THE_TYPE = (1L << 24) - 1 | -1L << 50;

    /** Bits 0 to 5 (VIRTIO 5.5.3), and exomem's free page bitmap. */
    private static final long BALLOON = 0x3f | 1L << 58;

    /** Bits 0 to 2 (VIRTIO 5.15.3). */
    private static final long MEM = 0x7;

    static final List<Check> ALL = List.of(
            Check.of("reserved.14", "VERSION_1 is offered", OfferChecks::versionOneIsOffered),
            Check.of("reserved.23", "SR_IOV, which is for PCI devices, is not offered", OfferChecks::noSrIov),
            Check.of(
                    "feature.12",
                    "No feature bit is offered that VIRTIO does not define, or does not define for this type of device",
                    OfferChecks::onlyDefinedBits),
            Check.of(
                    "vhost.feature.8",
                    "GET_PROTOCOL_FEATURES is answered before SET_FEATURES",
                    OfferChecks::protocolFeaturesAreToldFirst),
            Check.of(
                    "vhost.feature.11",
                    "SET_PROTOCOL_FEATURES is accepted before SET_FEATURES",
                    OfferChecks::protocolFeaturesAreSetFirst),
            Check.of(
                    "vhost.feature.4",
                    "Protocol features are reported and accepted when bit 30 is offered, and again after"
                            + " SET_FEATURES with bit 30",
                    OfferChecks::protocolFeaturesAreServed));

    private OfferChecks() {}

    private static void versionOneIsOffered(Trial trial) throws IOException {
        long offered = trial.connect().getFeatures();
        trial.expect((offered & Features.VERSION_1) != 0, "VERSION_1 (bit 32) is not offered");
    }

    private static void noSrIov(Trial trial) throws IOException {
        long offered = trial.connect().getFeatures();
        trial.expect((offered & Features.SR_IOV) == 0, "SR_IOV (bit 37) is offered, but this is not a PCI device");
    }

    private static void onlyDefinedBits(Trial trial) throws IOException {
        long offered = trial.connect().getFeatures();
        long unknown = offered & UNDEFINED;
        if (trial.type() == DeviceType.BALLOON) {
            unknown |= offered & OF_THE_TYPE & ~BALLOON;
        } else if (trial.type() == DeviceType.MEM) {
            unknown |= offered & OF_THE_TYPE & ~MEM;
        }
        trial.expect(unknown == 0, "these offered features are not defined: " + FeatureNames.features(unknown));
    }

    private static FrontEnd withProtocolFeatures(Trial trial) throws IOException {
        FrontEnd frontEnd = trial.connect();
        trial.requireFeatures(frontEnd.getFeatures(), Features.PROTOCOL_FEATURES);
        return frontEnd;
    }

    private static void protocolFeaturesAreToldFirst(Trial trial) throws IOException {
        withProtocolFeatures(trial).getProtocolFeatures();
    }

    private static void protocolFeaturesAreSetFirst(Trial trial) throws IOException {
        FrontEnd frontEnd = withProtocolFeatures(trial);
        frontEnd.setProtocolFeatures(frontEnd.getProtocolFeatures() & Protocol.REPLY_ACK);
        // If the request put REPLY_ACK into force, this one is answered. If the request was an error, the connection is
        // closed.
        frontEnd.setOwner();
        frontEnd.getFeatures();
    }

    private static void protocolFeaturesAreServed(Trial trial) throws IOException {
        FrontEnd frontEnd = withProtocolFeatures(trial);
        long before = frontEnd.getProtocolFeatures();
        frontEnd.setProtocolFeatures(before & (Protocol.MQ | Protocol.REPLY_ACK));
        frontEnd.setOwner();
        frontEnd.setFeatures(frontEnd.getFeatures() & (Features.VERSION_1 | Features.PROTOCOL_FEATURES));
        long after = frontEnd.getProtocolFeatures();
        trial.expect(
                after == before,
                "GET_PROTOCOL_FEATURES was answered with 0x" + Long.toHexString(before)
                        + " before SET_FEATURES, and with 0x" + Long.toHexString(after) + " after it");
    }
}
