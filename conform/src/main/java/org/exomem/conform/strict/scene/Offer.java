package org.exomem.conform.strict.scene;

import org.exomem.conform.trial.DeviceType;

/**
 * What a strict device offers.
 *
 * @param device balloon or mem
 * @param features virtio feature bits, as a mask
 * @param protocolFeatures likewise; only if PROTOCOL_FEATURES is among the features
 * @param queues that the device has, as GET_QUEUE_NUM tells
 * @param slots for memory regions, as GET_MAX_MEM_SLOTS tells
 */
public record Offer(DeviceType device, long features, long protocolFeatures, int queues, int slots) {
    /** Of the bits that are for a type of device: one that neither a balloon nor a memory device has. */
    public static final long UNDEFINED = 1L << 22;

    /** The same with other virtio features. */
    public Offer withFeatures(long others) {
        return new Offer(device, others, protocolFeatures, queues, slots);
    }

    /** The same with other protocol features. */
    public Offer withProtocolFeatures(long others) {
        return new Offer(device, features, others, queues, slots);
    }
}
