package org.exomem.conform.strict;

import org.exomem.conform.strict.scene.Offer;
import org.exomem.conform.strict.serve.Provocation;
import org.exomem.conform.trial.DeviceType;

/**
 * A fault of a front-end or a driver.
 *
 * @param requirement the id under which it must be found
 */
record Wrong(String requirement, Offer offer, Provocation provocation, Deed deed) {
    /** The faulty actions. The connection is closed afterwards, when the fault was noticed. */
    @FunctionalInterface
    interface Deed {
        void run(Peer peer) throws Exception;
    }

    /** A fault with a balloon. */
    static Wrong of(String requirement, Deed deed) {
        return new Wrong(requirement, Offer.of(DeviceType.BALLOON), Provocation.NONE, deed);
    }

    Wrong on(DeviceType type) {
        return new Wrong(requirement, Offer.of(type), provocation, deed);
    }

    Wrong without(long features) {
        return new Wrong(requirement, offer.withFeatures(offer.features() & ~features), provocation, deed);
    }

    Wrong with(long features) {
        return new Wrong(requirement, offer.withFeatures(offer.features() | features), provocation, deed);
    }

    Wrong withoutProtocol(long features) {
        return new Wrong(
                requirement, offer.withProtocolFeatures(offer.protocolFeatures() & ~features), provocation, deed);
    }

    Wrong withProtocol(long features) {
        return new Wrong(
                requirement, offer.withProtocolFeatures(offer.protocolFeatures() | features), provocation, deed);
    }

    Wrong provoked(Provocation by) {
        return new Wrong(requirement, offer, by, deed);
    }

    @Override
    public String toString() {
        return requirement;
    }
}
