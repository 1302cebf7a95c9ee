package org.exomem.vhostuser.backend;

import java.util.EnumSet;
import java.util.Set;
import org.exomem.vhostuser.protocol.FrontEndFault;
import org.exomem.vhostuser.protocol.ProtocolFeature;
import org.exomem.vhostuser.virtqueue.RingFeatures;

/** The offered and the acknowledged features, of VIRTIO and of vhost-user itself, in one session. */
final class Negotiation {
    /**
     * Bit 26, VHOST_F_LOG_ALL: the back-end logs its writes. It is for the front-end, and no feature of the device. It is
     * always offered, because a front-end that migrates with a dirty log refuses to do so without it (VHU-FEAT-6).
     */
    static final long LOG_ALL = 1L << 26;
    /** Bit 30, VHOST_USER_F_PROTOCOL_FEATURES. */
    static final long PROTOCOL_FEATURES = 1L << 30;

    /** Only what is served, because front-ends acknowledge every bit (VHU-FEAT-3). */
    private static final Set<ProtocolFeature> OFFERED_PROTOCOL = EnumSet.of(
            ProtocolFeature.MQ,
            ProtocolFeature.LOG_SHMFD,
            ProtocolFeature.REPLY_ACK,
            ProtocolFeature.BACKEND_REQ,
            ProtocolFeature.CONFIG,
            ProtocolFeature.INFLIGHT_SHMFD,
            ProtocolFeature.RESET_DEVICE,
            ProtocolFeature.CONFIGURE_MEM_SLOTS,
            ProtocolFeature.STATUS,
            ProtocolFeature.GPA_ADDRESSES);

    private final long offered;
    private final long offeredProtocol;
    private long acknowledged;
    private long protocol;

    Negotiation(VhostUserDevice device) {
        this.offered = device.features() | RingFeatures.ALL | LOG_ALL | PROTOCOL_FEATURES;
        long always = OFFERED_PROTOCOL.stream().mapToLong(ProtocolFeature::mask).reduce(0, (a, b) -> a | b);
        // STA-MOV-1, VHU-PST-3
        this.offeredProtocol = always
                | (device.state() == null ? 0 : ProtocolFeature.DEVICE_STATE.mask())
                | (PostCopy.isPossible() ? ProtocolFeature.PAGEFAULT.mask() : 0);
    }

    long offered() {
        return offered;
    }

    long offeredProtocol() {
        return offeredProtocol;
    }

    void acknowledge(long features) {
        // VHU-FEAT-2
        long unknown = features & ~offered;
        if (unknown != 0) {
            throw new FrontEndFault(
                    "SET_FEATURES acknowledges bits that were not offered: 0x" + Long.toHexString(unknown));
        }
        acknowledged = features;
    }

    void acknowledgeProtocol(long features) {
        // VHU-FEAT-2; INBAND_NOTIFICATIONS is not offered, so it ends here too (VHU-FEAT-4). May come at any time
        // (VHU-FEAT-1).
        long unknown = features & ~offeredProtocol;
        if (unknown != 0) {
            throw new FrontEndFault("SET_PROTOCOL_FEATURES acknowledges bits that were not offered: 0x"
                    + Long.toHexString(unknown) + " (" + ProtocolFeature.names(unknown) + ")");
        }
        protocol = features;
    }

    long acknowledged() {
        return acknowledged;
    }

    boolean has(long feature) {
        return (acknowledged & feature) != 0;
    }

    boolean has(ProtocolFeature feature) {
        return feature.isIn(protocol);
    }
}
