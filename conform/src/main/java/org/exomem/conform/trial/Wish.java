package org.exomem.conform.trial;

import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;

/**
 * The features that a session should negotiate. Immutable. If a required feature is not offered, the check is skipped.
 * A wanted feature that is not offered is left out.
 *
 * @param requiredFeatures mask of virtio feature bits
 * @param wantedFeatures mask of virtio feature bits
 * @param requiredProtocol mask of protocol feature bits
 * @param wantedProtocol mask of protocol feature bits
 */
public record Wish(long requiredFeatures, long wantedFeatures, long requiredProtocol, long wantedProtocol) {
    /** The usual session: split rings without EVENT_IDX and indirect tables, and the protocol features that nearly all back-ends offer. */
    public static final Wish USUAL = new Wish(
            0,
            Features.VERSION_1 | Features.PROTOCOL_FEATURES,
            0,
            Protocol.MQ
                    | Protocol.REPLY_ACK
                    | Protocol.BACKEND_REQ
                    | Protocol.CONFIG
                    | Protocol.RESET_DEVICE
                    | Protocol.STATUS);

    /** Also requires these virtio features. */
    public Wish with(long features) {
        return new Wish(requiredFeatures | features, wantedFeatures, requiredProtocol, wantedProtocol);
    }

    /** Also accepts these virtio features if they are offered. */
    public Wish wanting(long features) {
        return new Wish(requiredFeatures, wantedFeatures | features, requiredProtocol, wantedProtocol);
    }

    /** Leaves these virtio features out. */
    public Wish without(long features) {
        return new Wish(requiredFeatures & ~features, wantedFeatures & ~features, requiredProtocol, wantedProtocol);
    }

    /** Also requires these protocol features. */
    public Wish withProtocol(long features) {
        return new Wish(requiredFeatures, wantedFeatures, requiredProtocol | features, wantedProtocol);
    }

    /** Also accepts these protocol features if they are offered. */
    public Wish wantingProtocol(long features) {
        return new Wish(requiredFeatures, wantedFeatures, requiredProtocol, wantedProtocol | features);
    }

    /** Leaves these protocol features out. */
    public Wish withoutProtocol(long features) {
        return new Wish(requiredFeatures, wantedFeatures, requiredProtocol & ~features, wantedProtocol & ~features);
    }
}
