package org.exomem.fuzz;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.exomem.linux.Fd;
import org.exomem.vhostuser.protocol.FrontEndFault;
import org.exomem.vhostuser.protocol.FrontEndRequest;
import org.exomem.vhostuser.protocol.FrontEndRequest.*;
import org.exomem.vhostuser.protocol.Header;
import org.exomem.vhostuser.protocol.RegionDescription;
import org.exomem.vhostuser.protocol.RequestDecoder;
import org.exomem.vhostuser.protocol.RequestType;
import org.exomem.vhostuser.protocol.TransferDescription;

/**
 * The message codec of vhost-user. The first byte of an input gives the number of descriptors (bits 0 to 3), and
 * whether the header's size is corrected (bit 7). The message follows as on the wire.
 *
 * <p>Properties: a message is accepted or refused as {@link RightMessage} decides, which is written from the
 * specification and shares no code with the decoder. A refusal has a reason. An accepted request has the values of the
 * message.
 */
public final class MessagesFuzz {
    private static final int MOST_FDS = 12;
    /** Numbers that no descriptor of this process has, because some requests close their descriptors. */
    private static final int FIRST_FD = 0x3fff_0000;

    /** As in the back-end, the payload is aligned to 8 bytes. */
    private static final MemorySegment BUFFER =
            Arena.global().allocate(4 + Header.SIZE + Header.MAX_PAYLOAD, 8).asSlice(4);

    private static final ByteBuffer BYTES = BUFFER.asByteBuffer().order(ByteOrder.nativeOrder());

    private MessagesFuzz() {}

    public static void fuzzerTestOneInput(byte[] bytes) {
        Input input = new Input(bytes);
        int how = input.u8();
        byte[] message = input.take(Header.SIZE + Header.MAX_PAYLOAD);
        BUFFER.fill((byte) 0);
        MemorySegment.copy(message, 0, BUFFER, JAVA_BYTE, 0, message.length);
        if ((how & 0x80) != 0) {
            BYTES.putInt(8, Math.max(0, message.length - Header.SIZE));
        }
        List<Fd> fds = new ArrayList<>();
        for (int i = 0; i < Math.min(how & 0xf, MOST_FDS); i++) {
            fds.add(new Fd(FIRST_FD + i));
        }
        decode(fds);
    }

    private static void decode(List<Fd> fds) {
        Header header;
        try {
            header = Header.decode(BUFFER);
        } catch (FrontEndFault e) {
            requireReason(e);
            BrokenRule.unless(!RightMessage.isHeader(BYTES), "a right header was refused");
            return;
        }
        BrokenRule.unless(RightMessage.isHeader(BYTES), "a wrong header was taken");
        BrokenRule.unlessEqual(header.request(), BYTES.getInt(0), "the request's number");
        BrokenRule.unlessEqual(header.size(), BYTES.getInt(8), "the payload's size");
        BrokenRule.unless(header.needsReply() == ((BYTES.getInt(4) & 8) != 0), "need_reply was misread");
        RequestType type = RequestType.of(header.request());
        BrokenRule.unless((type != null) == RightMessage.isKnown(header.request()), "a request's number was mistaken");
        if (type == null) {
            return;
        }
        BrokenRule.unlessEqual(type.number(), header.request(), "the number of the request's type");
        ByteBuffer payload = BYTES.slice(Header.SIZE, header.size()).order(ByteOrder.nativeOrder());
        boolean right = RightMessage.isRight(header.request(), payload, fds.size());
        FrontEndRequest request;
        try {
            request = RequestDecoder.decode(type, BUFFER.asSlice(Header.SIZE, header.size()), fds);
        } catch (FrontEndFault e) {
            requireReason(e);
            BrokenRule.unless(!right, "a right message was refused");
            return;
        }
        BrokenRule.unless(right, "a wrong message was taken");
        requireSame(request, payload, fds);
        BrokenRule.unless(!request.toString().isEmpty(), "a request has no text");
    }

    private static void requireReason(FrontEndFault fault) {
        BrokenRule.unless(fault.getMessage() != null && !fault.getMessage().isBlank(), "a refusal gives no reason");
    }

    private static void requireSame(FrontEndRequest request, ByteBuffer payload, List<Fd> fds) {
        boolean same = switch (request) {
            case SetFeatures(long features) -> features == payload.getLong(0);
            case SetProtocolFeatures(long features) -> features == payload.getLong(0);
            case SetMemTable(var regions, var files) -> areSame(regions, payload) && files.equals(fds);
            case AddMemReg(var region, var file) -> isSame(region, payload, 8) && file == fds.getFirst();
            case RemMemReg(var region) ->
                isSame(region, payload, 8) && fds.stream().noneMatch(Fd::isOpen);
            case SetLogBase(var log, var file) ->
                log.size() == payload.getLong(0) && log.offset() == payload.getLong(8) && file == fds.getFirst();
            case SetVringNum(int index, int size) -> index == payload.getInt(0) && size == payload.getInt(4);
            case SetVringBase(int index, int base) -> index == payload.getInt(0) && base == payload.getInt(4);
            case GetVringBase(int index) -> index == payload.getInt(0);
            case SetVringEnable(int index, boolean enable) ->
                index == payload.getInt(0) && enable == (payload.getInt(4) == 1);
            case SetVringKick(int index, var fd) -> isNotifier(index, fd, payload, fds);
            case SetVringCall(int index, var fd) -> isNotifier(index, fd, payload, fds);
            case SetVringErr(int index, var fd) -> isNotifier(index, fd, payload, fds);
            case SetVringAddr(var ring) ->
                ring.index() == payload.getInt(0)
                        && ring.logsUsedRing() == (payload.getInt(4) == 1)
                        && ring.descriptor() == payload.getLong(8)
                        && ring.used() == payload.getLong(16)
                        && ring.available() == payload.getLong(24)
                        && ring.log() == payload.getLong(32);
            case GetConfig(var access) -> access.offset() == payload.getInt(0) && access.size() == payload.getInt(4);
            case SetConfig(var access) ->
                access.offset() == payload.getInt(0)
                        && access.size() == payload.getInt(4)
                        && access.data().asByteBuffer().equals(payload.slice(12, access.size()));
            case SetStatus(int status) -> status == payload.getLong(0);
            case GetInflightFd(var wanted) -> wanted.numQueues() == (payload.getShort(16) & 0xffff);
            case SetInflightFd(var given, var file) ->
                given.mmapSize() == payload.getLong(0)
                        && given.mmapOffset() == payload.getLong(8)
                        && given.queueSize() == (payload.getShort(18) & 0xffff)
                        && file == fds.getFirst();
            case SetDeviceStateFd(var transfer, var channel) ->
                (transfer.direction() == TransferDescription.Direction.LOAD) == (payload.getInt(0) == 1)
                        && channel == fds.getFirst();
            case AcknowledgeMemory() -> fds.isEmpty() && payload.capacity() == 8 && payload.getLong(0) == 0;
            default -> true;
        };
        if (!same) {
            throw new BrokenRule("a request was misread as " + request);
        }
    }

    private static boolean isNotifier(
            int index, @org.jspecify.annotations.Nullable Fd fd, ByteBuffer payload, List<Fd> fds) {
        boolean none = (payload.getLong(0) & 0x100) != 0;
        return index == (payload.get(0) & 0xff) && (none ? fd == null : fd == fds.getFirst());
    }

    private static boolean areSame(List<RegionDescription> regions, ByteBuffer payload) {
        boolean same = regions.size() == payload.getInt(0);
        for (int i = 0; same && i < regions.size(); i++) {
            same = isSame(regions.get(i), payload, 8 + 32 * i);
        }
        return same;
    }

    private static boolean isSame(RegionDescription region, ByteBuffer payload, int at) {
        try {
            region.check();
        } catch (FrontEndFault e) {
            requireReason(e);
        }
        return region.guestAddress() == payload.getLong(at)
                && region.size() == payload.getLong(at + 8)
                && region.userAddress() == payload.getLong(at + 16)
                && region.mmapOffset() == payload.getLong(at + 24);
    }
}
