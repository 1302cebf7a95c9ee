package org.exomem.vhostuser.protocol;

import java.util.List;
import org.exomem.linux.Fd;
import org.jspecify.annotations.Nullable;

/**
 * A request of the front-end, decoded and checked as far as possible without the session's state. Its descriptors belong to
 * its handler.
 */
public sealed interface FrontEndRequest {
    record GetFeatures() implements FrontEndRequest {}

    record SetFeatures(long features) implements FrontEndRequest {}

    record GetProtocolFeatures() implements FrontEndRequest {}

    record SetProtocolFeatures(long features) implements FrontEndRequest {}

    record GetQueueNum() implements FrontEndRequest {}

    record SetOwner() implements FrontEndRequest {}

    record ResetOwner() implements FrontEndRequest {}

    /** {@code files.get(i)} is the file of {@code regions.get(i)}. */
    record SetMemTable(List<RegionDescription> regions, List<Fd> files) implements FrontEndRequest {}

    /**
     * An empty SET_MEM_TABLE, ADD_MEM_REG or REM_MEM_REG: the front-end has seen the addresses of the mapped memory, which a
     * post-copy migration reports, and can bring pages of it (VHU-PST-5).
     */
    record AcknowledgeMemory() implements FrontEndRequest {}

    record GetMaxMemSlots() implements FrontEndRequest {}

    record AddMemReg(RegionDescription region, Fd file) implements FrontEndRequest {}

    /** A descriptor of the message has been closed already, as the specification requires. */
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
