package org.exomem.conform.strict.scene;

import org.exomem.conform.trial.DeviceType;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.guest.BalloonFeatures;

/**
 * The features and limits that a strict device offers.
 *
 * @param device balloon or mem
 * @param features mask of virtio feature bits
 * @param protocolFeatures mask of protocol feature bits; offered only if PROTOCOL_FEATURES is among the features
 * @param queues the number of queues, the answer to GET_QUEUE_NUM
 * @param slots the number of memory regions, the answer to GET_MAX_MEM_SLOTS
 */
public record Offer(DeviceType device, long features, long protocolFeatures, int queues, int slots) {
    /** A bit in the range of the device types that neither a balloon nor a memory device defines. */
    public static final long UNDEFINED = 1L << 22;

    private static final int BALLOON_QUEUES = 5;
    private static final int SLOTS = 64;
    private static final long MEM = 0b11;

    /** Features that a device of either type offers. */
    private static final long COMMON = Features.VERSION_1
            | Features.INDIRECT_DESC
            | Features.EVENT_IDX
            | Features.LOG_ALL
            | Features.PROTOCOL_FEATURES
            | Features.ORDER_PLATFORM
            | Features.SR_IOV
            | Features.SUSPEND
            | UNDEFINED;

    private static final long BALLOON = BalloonFeatures.MUST_TELL_HOST
            | BalloonFeatures.STATS_VQ
            | BalloonFeatures.FREE_PAGE_HINT
            | BalloonFeatures.PAGE_POISON
            | BalloonFeatures.PAGE_REPORTING;

    private static final long PROTOCOL = Protocol.MQ
            | Protocol.REPLY_ACK
            | Protocol.BACKEND_REQ
            | Protocol.CONFIG
            | Protocol.INFLIGHT_SHMFD
            | Protocol.RESET_DEVICE
            | Protocol.CONFIGURE_MEM_SLOTS
            | Protocol.STATUS
            | Protocol.DEVICE_STATE;

    /** The default offer: many features, so that many rules can be observed. */
    public static Offer of(DeviceType device) {
        return device == DeviceType.MEM
                ? new Offer(device, COMMON | MEM, PROTOCOL, 1, SLOTS)
                : new Offer(device, COMMON | BALLOON, PROTOCOL, BALLOON_QUEUES, SLOTS);
    }

    /** Returns the same offer with other virtio features. */
    public Offer withFeatures(long others) {
        return new Offer(device, others, protocolFeatures, queues, slots);
    }

    /** Returns the same offer with other protocol features. */
    public Offer withProtocolFeatures(long others) {
        return new Offer(device, features, others, queues, slots);
    }
}
