package org.exomem.vhostuser.protocol;

import static org.exomem.vhostuser.protocol.ProtocolFeature.*;

import org.jspecify.annotations.Nullable;

/**
 * The requests of a front-end: their numbers, sizes and descriptors (vhost-user, "Front-end message types"). Requests for
 * other kinds of devices (network, crypto, GPU, IOMMU, shared objects) are unknown here.
 */
public enum RequestType {
    GET_FEATURES(1, Answer.VALUE, 0),
    SET_FEATURES(2, Answer.NONE, Size.U64),
    SET_OWNER(3, Answer.NONE, 0),
    RESET_OWNER(4, Answer.NONE, 0),
    SET_MEM_TABLE(5, Answer.NONE, Size.VARIABLE, 1, MemoryTable.MAX_REGIONS, null),
    SET_LOG_BASE(6, Answer.RESULT, LogDescription.SIZE, 1, 1, LOG_SHMFD),
    SET_LOG_FD(7, Answer.NONE, 0, 1, 1, null),
    SET_VRING_NUM(8, Answer.NONE, RingState.SIZE),
    SET_VRING_ADDR(9, Answer.NONE, RingAddresses.SIZE),
    SET_VRING_BASE(10, Answer.NONE, RingState.SIZE),
    GET_VRING_BASE(11, Answer.VALUE, RingState.SIZE),
    SET_VRING_KICK(12, Answer.NONE, Size.U64, 0, 1, null),
    SET_VRING_CALL(13, Answer.NONE, Size.U64, 0, 1, null),
    SET_VRING_ERR(14, Answer.NONE, Size.U64, 0, 1, null),
    GET_PROTOCOL_FEATURES(15, Answer.VALUE, 0),
    SET_PROTOCOL_FEATURES(16, Answer.NONE, Size.U64),
    GET_QUEUE_NUM(17, Answer.VALUE, 0, MQ),
    SET_VRING_ENABLE(18, Answer.NONE, RingState.SIZE),
    SET_BACKEND_REQ_FD(21, Answer.NONE, 0, 1, 1, BACKEND_REQ),
    SET_VRING_ENDIAN(23, Answer.NONE, RingState.SIZE, CROSS_ENDIAN),
    GET_CONFIG(24, Answer.CONFIG, Size.VARIABLE, CONFIG),
    SET_CONFIG(25, Answer.NONE, Size.VARIABLE, CONFIG),
    POSTCOPY_ADVISE(28, Answer.USERFAULTFD, 0, PAGEFAULT),
    POSTCOPY_LISTEN(29, Answer.NONE, 0, PAGEFAULT),
    POSTCOPY_END(30, Answer.RESULT, 0, PAGEFAULT),
    GET_INFLIGHT_FD(31, Answer.VALUE, Size.VARIABLE, INFLIGHT_SHMFD),
    SET_INFLIGHT_FD(32, Answer.NONE, Size.VARIABLE, 1, 1, INFLIGHT_SHMFD),
    RESET_DEVICE(34, Answer.NONE, 0, ProtocolFeature.RESET_DEVICE),
    VRING_KICK(35, Answer.NONE, RingState.SIZE, INBAND_NOTIFICATIONS),
    GET_MAX_MEM_SLOTS(36, Answer.VALUE, 0, CONFIGURE_MEM_SLOTS),
    ADD_MEM_REG(37, Answer.NONE, RegionDescription.SINGLE_SIZE, 1, 1, CONFIGURE_MEM_SLOTS),
    REM_MEM_REG(38, Answer.NONE, RegionDescription.SINGLE_SIZE, 0, 1, CONFIGURE_MEM_SLOTS),
    SET_STATUS(39, Answer.NONE, Size.U64, STATUS),
    GET_STATUS(40, Answer.VALUE, 0, STATUS),
    SET_DEVICE_STATE_FD(42, Answer.STATE_CHANNEL, TransferDescription.SIZE, 1, 1, DEVICE_STATE),
    CHECK_DEVICE_STATE(43, Answer.RESULT, 0, DEVICE_STATE),
    GET_SHMEM_CONFIG(44, Answer.VALUE, 0, SHMEM_MAP);

    /** The form of a request's answer, and so of a refusal (VHU-HDR-7). */
    private enum Answer {
        /** No answer, unless the front-end requests an acknowledgement (VHU-MSG-2). */
        NONE,
        /**
         * A value. An error would look like a value (or be invalid where a descriptor must come), so a refusal closes the
         * connection.
         */
        VALUE,
        /** A number, 0 for success, whether requested or not. */
        RESULT,
        /** The config space's bytes; none are an error (VHU-CFG-1). */
        CONFIG,
        /** A descriptor and no payload; no descriptor is an error (VHU-PST-3). */
        USERFAULTFD,
        /** An error in bits 0 to 7, and bit 8 if no descriptor is returned. */
        STATE_CHANNEL
    }

    /** Sizes of payloads without a layout class. */
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
    private final Answer answer;
    private final int payloadSize;
    private final int minFds;
    private final int maxFds;
    private final @Nullable ProtocolFeature feature;

    RequestType(int number, Answer answer, int payloadSize) {
        this(number, answer, payloadSize, 0, 0, null);
    }

    RequestType(int number, Answer answer, int payloadSize, ProtocolFeature feature) {
        this(number, answer, payloadSize, 0, 0, feature);
    }

    RequestType(int number, Answer answer, int payloadSize, int minFds, int maxFds, @Nullable ProtocolFeature feature) {
        this.number = number;
        this.answer = answer;
        this.payloadSize = payloadSize;
        this.minFds = minFds;
        this.maxFds = maxFds;
        this.feature = feature;
    }

    /** The request with a number, or null if there is none. */
    public static @Nullable RequestType of(int number) {
        return number >= 0 && number < BY_NUMBER.length ? BY_NUMBER[number] : null;
    }

    /** The number in the header. */
    public int number() {
        return number;
    }

    /** The protocol feature that the request needs (VHU-MSG-1), or null. */
    public @Nullable ProtocolFeature feature() {
        return feature;
    }

    /**
     * Returns a refusal: in the form of the request's own reply, as an acknowledgement, or null if only closing the
     * connection is possible (VHU-HDR-7).
     *
     * @param acknowledged true if the front-end requests acknowledgements (need-reply, REPLY_ACK)
     */
    public @Nullable Reply refusal(boolean acknowledged) {
        return switch (answer) {
            case NONE -> acknowledged ? Reply.failure() : null;
            case VALUE -> null;
            case RESULT -> Reply.failure();
            case CONFIG, USERFAULTFD -> Reply.empty();
            case STATE_CHANNEL -> Reply.stateFailure();
        };
    }

    /** Checks the size of the payload (VHU-HDR-5) and the number of descriptors (VHU-HDR-6). */
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
