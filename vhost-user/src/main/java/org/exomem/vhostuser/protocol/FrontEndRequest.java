package org.exomem.vhostuser.protocol;

import java.util.List;
import org.exomem.linux.Fd;
import org.jspecify.annotations.Nullable;

/**
 * A request of the front-end, decoded and checked for everything that can be checked without the session's state.
 * Descriptors in it belong to whoever handles it.
 */
public sealed interface FrontEndRequest {
    record GetFeatures() implements FrontEndRequest {}

    record SetFeatures(long features) implements FrontEndRequest {}

    record GetProtocolFeatures() implements FrontEndRequest {}

    record SetProtocolFeatures(long features) implements FrontEndRequest {}

    record GetQueueNum() implements FrontEndRequest {}

    record SetOwner() implements FrontEndRequest {}

    record ResetOwner() implements FrontEndRequest {}

    /** {@code files.get(i)} backs {@code regions.get(i)}. */
    record SetMemTable(List<RegionDescription> regions, List<Fd> files) implements FrontEndRequest {}

    /**
     * An empty SET_MEM_TABLE, ADD_MEM_REG or REM_MEM_REG: the front-end has seen where memory is mapped, which is told in a post-copy migration, and can
     * bring pages of it (VHU-PST-5).
     */
    record AcknowledgeMemory() implements FrontEndRequest {}

    record GetMaxMemSlots() implements FrontEndRequest {}

    record AddMemReg(RegionDescription region, Fd file) implements FrontEndRequest {}

    /** A descriptor that came along has been closed already, as the specification asks. */
    record RemMemReg(RegionDescription region) implements FrontEndRequest {}

    record SetLogBase(LogDescription log, Fd file) implements FrontEndRequest {}

    record SetLogFd(Fd notifier) implements FrontEndRequest {}

    record SetVringNum(int index, int size) implements FrontEndRequest {}

    record SetVringAddr(RingAddresses addresses) implements FrontEndRequest {}

    record SetVringBase(int index, int base) implements FrontEndRequest {}

    record GetVringBase(int index) implements FrontEndRequest {}

    record SetVringKick(int index, @Nullable Fd notifier) implements FrontEndRequest {}

    record SetVringCall(int index, @Nullable Fd notifier) implements FrontEndRequest {}

    record SetVringErr(int index, @Nullable Fd notifier) implements FrontEndRequest {}

    record SetVringEnable(int index, boolean enable) implements FrontEndRequest {}

    record VringKick(int index) implements FrontEndRequest {}

    record SetVringEndian(int index, int endianness) implements FrontEndRequest {}

    record SetBackendReqFd(Fd socket) implements FrontEndRequest {}

    record GetConfig(ConfigAccess access) implements FrontEndRequest {}

    record SetConfig(ConfigAccess access) implements FrontEndRequest {}

    record ResetDevice() implements FrontEndRequest {}

    record SetStatus(int status) implements FrontEndRequest {}

    record GetStatus() implements FrontEndRequest {}

    record GetInflightFd(InflightDescription wanted) implements FrontEndRequest {}

    record SetInflightFd(InflightDescription description, Fd file) implements FrontEndRequest {}

    record PostcopyAdvise() implements FrontEndRequest {}

    record PostcopyListen() implements FrontEndRequest {}

    record PostcopyEnd() implements FrontEndRequest {}

    record SetDeviceStateFd(TransferDescription transfer, Fd channel) implements FrontEndRequest {}

    record CheckDeviceState() implements FrontEndRequest {}

    record GetShmemConfig() implements FrontEndRequest {}
}
