package org.exomem.vhostuser.protocol;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.exomem.linux.Fd;
import org.jspecify.annotations.Nullable;

/**
 * What a back-end answers: a payload, and perhaps a descriptor that goes along and is closed once sent.
 *
 * @param payload native memory
 */
public record Reply(MemorySegment payload, @Nullable Fd fd) {
    /** A number (VHU-PAY-1); for an acknowledgement 0 is success and everything else an error. */
    public static Reply u64(long value) {
        MemorySegment payload = allocate(8);
        payload.set(JAVA_LONG, 0, value);
        return new Reply(payload, null);
    }

    /** An acknowledgement of failure: any number other than 0. */
    public static Reply failure() {
        return u64(1);
    }

    /** SET_DEVICE_STATE_FD succeeded, and the front-end's own descriptor is used: bit 8 says that none comes back (STA-MOV-3). */
    public static Reply noStateChannel() {
        return u64(1 << 8);
    }

    /** SET_DEVICE_STATE_FD failed: an error in bits 0 to 7, and no descriptor. */
    public static Reply stateFailure() {
        return u64((1 << 8) | 1);
    }

    /** The position at which a ring was stopped, as {@code Virtqueue.base()} tells it. */
    public static Reply ringBase(int index, int base) {
        return new Reply(new RingState(index, base).encode(), null);
    }

    /** The config space's bytes, as many as were asked for. */
    public static Reply config(ConfigAccess access, MemorySegment read) {
        return new Reply(access.encode(read), null);
    }

    /** In-flight memory: where it is in the file, which goes along and is closed once sent. */
    public static Reply inflight(InflightDescription description, Fd file) {
        return new Reply(description.encode(), file);
    }

    /** POSTCOPY_ADVISE: a userfaultfd, which goes along and is closed once sent (VHU-PST-3). */
    public static Reply userfaultfd(Fd fd) {
        return new Reply(allocate(0), fd);
    }

    /** SET_MEM_TABLE in a post-copy migration: the regions, with the addresses at which they are mapped here (VHU-PST-5). */
    public static Reply regions(List<RegionDescription> mapped) {
        return new Reply(MemoryTable.encode(mapped), null);
    }

    /** Likewise ADD_MEM_REG. */
    public static Reply region(RegionDescription mapped) {
        MemorySegment payload = allocate(RegionDescription.SINGLE_SIZE);
        mapped.encode(payload, RegionDescription.PADDING);
        return new Reply(payload, null);
    }

    /** No payload: how GET_CONFIG and POSTCOPY_ADVISE tell of an error. */
    public static Reply empty() {
        return new Reply(allocate(0), null);
    }

    /** The whole message of the answer to a request. */
    public MemorySegment encode(int request) {
        int size = (int) payload.byteSize();
        MemorySegment message = allocate(Header.SIZE + size);
        new Header(request, Header.REPLY_FLAGS, size).encode(message);
        MemorySegment.copy(payload, 0, message, Header.SIZE, size);
        return message;
    }

    /** Messages are few and far from the fast path: their memory is left to the collector. */
    static MemorySegment allocate(int size) {
        return Arena.ofAuto().allocate(size, 8);
    }
}
