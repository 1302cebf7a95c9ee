package org.exomem.vhostuser.protocol;

import java.util.Arrays;
import java.util.stream.Collectors;

/** The bits of vhost-user's own feature negotiation (vhost-user, "Protocol features"). */
public enum ProtocolFeature {
    MQ(0),
    LOG_SHMFD(1),
    RARP(2),
    REPLY_ACK(3),
    NET_MTU(4),
    BACKEND_REQ(5),
    CROSS_ENDIAN(6),
    CRYPTO_SESSION(7),
    PAGEFAULT(8),
    CONFIG(9),
    BACKEND_SEND_FD(10),
    HOST_NOTIFIER(11),
    INFLIGHT_SHMFD(12),
    RESET_DEVICE(13),
    INBAND_NOTIFICATIONS(14),
    CONFIGURE_MEM_SLOTS(15),
    STATUS(16),
    XEN_MMAP(17),
    SHARED_OBJECT(18),
    DEVICE_STATE(19),
    GET_VRING_BASE_INFLIGHT(20),
    GPA_ADDRESSES(21),
    SHMEM_MAP(22);

    private final int bit;

    ProtocolFeature(int bit) {
        this.bit = bit;
    }

    /** The mask with only this feature's bit. */
    public long mask() {
        return 1L << bit;
    }

    /** True if the mask has the feature. */
    public boolean isIn(long features) {
        return (features & mask()) != 0;
    }

    /** The names of the features in a mask, for people. */
    public static String names(long features) {
        return Arrays.stream(values())
                .filter(feature -> feature.isIn(features))
                .map(ProtocolFeature::name)
                .collect(Collectors.joining(", "));
    }
}
