package org.exomem.vhostuser.protocol;

import static org.exomem.vhostuser.protocol.ProtocolFeature.*;

import org.jspecify.annotations.Nullable;

/**
 * The requests of a front-end: their numbers, and what may come along (vhost-user, "Front-end message types"). Requests
 * for kinds of device that exomem is not (network, crypto, GPU, IOMMU, shared objects) are unknown here.
 */
public enum RequestType {
    GET_FEATURES(1, 0),
    SET_FEATURES(2, Size.U64),
    SET_OWNER(3, 0),
    RESET_OWNER(4, 0),
    SET_MEM_TABLE(5, Size.VARIABLE, 1, MemoryTable.MAX_REGIONS, null),
    SET_LOG_BASE(6, LogDescription.SIZE, 1, 1, LOG_SHMFD),
    SET_LOG_FD(7, 0, 1, 1, null),
    SET_VRING_NUM(8, RingState.SIZE),
    SET_VRING_ADDR(9, RingAddresses.SIZE),
    SET_VRING_BASE(10, RingState.SIZE),
    GET_VRING_BASE(11, RingState.SIZE),
    SET_VRING_KICK(12, Size.U64, 0, 1, null),
    SET_VRING_CALL(13, Size.U64, 0, 1, null),
    SET_VRING_ERR(14, Size.U64, 0, 1, null),
    GET_PROTOCOL_FEATURES(15, 0),
    SET_PROTOCOL_FEATURES(16, Size.U64),
    GET_QUEUE_NUM(17, 0, MQ),
    SET_VRING_ENABLE(18, RingState.SIZE),
    SET_BACKEND_REQ_FD(21, 0, 1, 1, BACKEND_REQ),
    SET_VRING_ENDIAN(23, RingState.SIZE, CROSS_ENDIAN),
    GET_CONFIG(24, Size.VARIABLE, CONFIG),
    SET_CONFIG(25, Size.VARIABLE, CONFIG),
    POSTCOPY_ADVISE(28, 0, PAGEFAULT),
    POSTCOPY_LISTEN(29, 0, PAGEFAULT),
    POSTCOPY_END(30, 0, PAGEFAULT),
    GET_INFLIGHT_FD(31, Size.VARIABLE, INFLIGHT_SHMFD),
    SET_INFLIGHT_FD(32, Size.VARIABLE, 1, 1, INFLIGHT_SHMFD),
    RESET_DEVICE(34, 0, ProtocolFeature.RESET_DEVICE),
    VRING_KICK(35, RingState.SIZE, INBAND_NOTIFICATIONS),
    GET_MAX_MEM_SLOTS(36, 0, CONFIGURE_MEM_SLOTS),
    ADD_MEM_REG(37, RegionDescription.SINGLE_SIZE, 1, 1, CONFIGURE_MEM_SLOTS),
    REM_MEM_REG(38, RegionDescription.SINGLE_SIZE, 0, 1, CONFIGURE_MEM_SLOTS),
    SET_STATUS(39, Size.U64, STATUS),
    GET_STATUS(40, 0, STATUS),
    SET_DEVICE_STATE_FD(42, TransferDescription.SIZE, 1, 1, DEVICE_STATE),
    CHECK_DEVICE_STATE(43, 0, DEVICE_STATE),
    GET_SHMEM_CONFIG(44, 0, SHMEM_MAP);

    /** Payload sizes that are not a layout of their own. */
    private static final class Size {
        static final int U64 = 8;
        static final int VARIABLE = -1;
    }

    private static final RequestType[] BY_NUMBER = new RequestType[45];

    static {
        for (RequestType type : values()) {
            BY_NUMBER[type.number] = type;
        }
    }

    private final int number;
    private final int payloadSize;
    private final int minFds;
    private final int maxFds;
    private final @Nullable ProtocolFeature feature;

    RequestType(int number, int payloadSize) {
        this(number, payloadSize, 0, 0, null);
    }

    RequestType(int number, int payloadSize, ProtocolFeature feature) {
        this(number, payloadSize, 0, 0, feature);
    }

    RequestType(int number, int payloadSize, int minFds, int maxFds, @Nullable ProtocolFeature feature) {
        this.number = number;
        this.payloadSize = payloadSize;
        this.minFds = minFds;
        this.maxFds = maxFds;
        this.feature = feature;
    }

    /** The request of a number, or null if it is none of these. */
    public static @Nullable RequestType of(int number) {
        return number >= 0 && number < BY_NUMBER.length ? BY_NUMBER[number] : null;
    }

    public int number() {
        return number;
    }

    /** The protocol feature without which the request may not be sent, or null. */
    public @Nullable ProtocolFeature feature() {
        return feature;
    }

    /** Checks what can be checked without looking into the payload. */
    void check(int size, int fds) {
        if (payloadSize != Size.VARIABLE && size != payloadSize) {
            throw new FrontEndFault(this + " has " + size + " bytes of payload instead of " + payloadSize);
        }
        if (fds < minFds || fds > maxFds) {
            String wanted = minFds == maxFds ? String.valueOf(minFds) : minFds + " to " + maxFds;
            throw new FrontEndFault(this + " came with " + fds + " file descriptors instead of " + wanted);
        }
    }
}
