package org.exomem.conformance.frontend;

/** Masks of the virtio feature bits that all devices share (spec/vhost-user.md, VHU-FEAT). */
public final class Features {
    public static final long LOG_ALL = 1L << 26;
    public static final long INDIRECT_DESC = 1L << 28;
    public static final long EVENT_IDX = 1L << 29;
    public static final long PROTOCOL_FEATURES = 1L << 30;
    public static final long VERSION_1 = 1L << 32;
    public static final long ACCESS_PLATFORM = 1L << 33;
    public static final long RING_PACKED = 1L << 34;
    public static final long IN_ORDER = 1L << 35;
    public static final long ORDER_PLATFORM = 1L << 36;
    public static final long SR_IOV = 1L << 37;
    public static final long SUSPEND = 1L << 43;

    /** Masks of the protocol feature bits. */
    public static final class Protocol {
        public static final long MQ = 1L;
        public static final long LOG_SHMFD = 1L << 1;
        public static final long REPLY_ACK = 1L << 3;
        public static final long BACKEND_REQ = 1L << 5;
        public static final long CROSS_ENDIAN = 1L << 6;
        public static final long PAGEFAULT = 1L << 8;
        public static final long CONFIG = 1L << 9;
        public static final long BACKEND_SEND_FD = 1L << 10;
        public static final long HOST_NOTIFIER = 1L << 11;
        public static final long INFLIGHT_SHMFD = 1L << 12;
        public static final long RESET_DEVICE = 1L << 13;
        public static final long INBAND_NOTIFICATIONS = 1L << 14;
        public static final long CONFIGURE_MEM_SLOTS = 1L << 15;
        public static final long STATUS = 1L << 16;
        public static final long SHARED_OBJECT = 1L << 18;
        public static final long DEVICE_STATE = 1L << 19;
        public static final long GPA_ADDRESSES = 1L << 21;
        public static final long SHMEM_MAP = 1L << 22;

        private Protocol() {}
    }

    private Features() {}
}
