package org.exomem.vhostuser.protocol;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.exomem.linux.Fd;
import org.exomem.vhostuser.protocol.FrontEndRequest.*;

/** Decodes a message to a request, or refuses it with the rule that it broke. Stateless. */
public final class RequestDecoder {
    private static final int STATUS_MASK = 0xff;

    private RequestDecoder() {}

    /**
     * @param payload the whole payload of the message, native memory that is not shared with the peer
     * @param fds the descriptors of the message; if this throws they are still the caller's
     */
    public static FrontEndRequest decode(RequestType type, MemorySegment payload, List<Fd> fds) {
        if (isAcknowledgement(type, payload, fds)) {
            return new AcknowledgeMemory();
        }
        type.check((int) payload.byteSize(), fds.size());
        return switch (type) {
            case GET_FEATURES -> new GetFeatures();
            case SET_FEATURES -> new SetFeatures(u64(payload));
            case GET_PROTOCOL_FEATURES -> new GetProtocolFeatures();
            case SET_PROTOCOL_FEATURES -> new SetProtocolFeatures(u64(payload));
            case GET_QUEUE_NUM -> new GetQueueNum();
            case SET_OWNER -> new SetOwner();
            case RESET_OWNER -> new ResetOwner();
            case SET_MEM_TABLE -> new SetMemTable(MemoryTable.decode(payload, fds.size()), List.copyOf(fds));
            case GET_MAX_MEM_SLOTS -> new GetMaxMemSlots();
            case ADD_MEM_REG -> new AddMemReg(singleRegion(payload), fds.getFirst());
            case REM_MEM_REG -> {
                // VHU-MEM-4
                fds.forEach(Fd::close);
                yield new RemMemReg(singleRegion(payload));
            }
            case SET_LOG_BASE -> new SetLogBase(LogDescription.decode(payload), fds.getFirst());
            case SET_LOG_FD -> new SetLogFd(fds.getFirst());
            case SET_VRING_NUM -> {
                RingState state = RingState.decode(payload);
                yield new SetVringNum(state.index(), state.num());
            }
            case SET_VRING_ADDR -> new SetVringAddr(RingAddresses.decode(payload));
            case SET_VRING_BASE -> {
                RingState state = RingState.decode(payload);
                yield new SetVringBase(state.index(), state.num());
            }
            case GET_VRING_BASE -> new GetVringBase(RingState.decode(payload).index());
            case SET_VRING_KICK -> {
                RingFd kick = RingFd.decode(type, payload, fds);
                yield new SetVringKick(kick.index(), kick.fd());
            }
            case SET_VRING_CALL -> {
                RingFd call = RingFd.decode(type, payload, fds);
                yield new SetVringCall(call.index(), call.fd());
            }
            case SET_VRING_ERR -> {
                RingFd err = RingFd.decode(type, payload, fds);
                yield new SetVringErr(err.index(), err.fd());
            }
            case SET_VRING_ENABLE -> enable(RingState.decode(payload));
            case VRING_KICK -> new VringKick(RingState.decode(payload).index());
            case SET_VRING_ENDIAN -> {
                RingState state = RingState.decode(payload);
                yield new SetVringEndian(state.index(), state.num());
            }
            case SET_BACKEND_REQ_FD -> new SetBackendReqFd(fds.getFirst());
            case GET_CONFIG -> new GetConfig(ConfigAccess.decode(type, payload));
            case SET_CONFIG -> new SetConfig(ConfigAccess.decode(type, payload));
            case RESET_DEVICE -> new ResetDevice();
            case SET_STATUS -> status(u64(payload));
            case GET_STATUS -> new GetStatus();
            case GET_INFLIGHT_FD -> new GetInflightFd(InflightDescription.decode(type, payload));
            case SET_INFLIGHT_FD -> new SetInflightFd(InflightDescription.decode(type, payload), fds.getFirst());
            case POSTCOPY_ADVISE -> new PostcopyAdvise();
            case POSTCOPY_LISTEN -> new PostcopyListen();
            case POSTCOPY_END -> new PostcopyEnd();
            case SET_DEVICE_STATE_FD -> new SetDeviceStateFd(TransferDescription.decode(payload), fds.getFirst());
            case CHECK_DEVICE_STATE -> new CheckDeviceState();
            case GET_SHMEM_CONFIG -> new GetShmemConfig();
        };
    }

    /** A number in place of regions, which is 0 for success. */
    private static boolean isAcknowledgement(RequestType type, MemorySegment payload, List<Fd> fds) {
        return switch (type) {
            // The last one: for regions that were removed while none was added.
            case SET_MEM_TABLE, ADD_MEM_REG, REM_MEM_REG -> isZero(payload, fds);
            default -> false;
        };
    }

    private static boolean isZero(MemorySegment payload, List<Fd> fds) {
        return fds.isEmpty() && payload.byteSize() == Long.BYTES && u64(payload) == 0;
    }

    private static long u64(MemorySegment payload) {
        return payload.get(JAVA_LONG, 0);
    }

    private static RegionDescription singleRegion(MemorySegment payload) {
        return RegionDescription.decode(payload, RegionDescription.PADDING);
    }

    private static SetVringEnable enable(RingState state) {
        if (state.num() != 0 && state.num() != 1) {
            throw new FrontEndFault("SET_VRING_ENABLE of queue " + Integer.toUnsignedString(state.index()) + " has "
                    + Integer.toUnsignedString(state.num()) + "; must be 0 (disable) or 1 (enable)");
        }
        return new SetVringEnable(state.index(), state.num() == 1);
    }

    private static SetStatus status(long value) {
        if ((value & ~STATUS_MASK) != 0) {
            throw new FrontEndFault("SET_STATUS has 0x" + Long.toHexString(value) + "; a device status has 8 bits");
        }
        return new SetStatus((int) value);
    }
}
