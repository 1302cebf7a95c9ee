package org.exomem.vhostuser.protocol;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.exomem.linux.Fd;
import org.jspecify.annotations.Nullable;

/**
 * A back-end's answer: a payload, and perhaps a descriptor that is sent with it and closed then.
 *
 * @param payload native memory
 */
public record Reply(MemorySegment payload, @Nullable Fd fd) {
    /** A number (VHU-PAY-1); for an acknowledgement 0 is success, and any other number an error. */
    public static Reply u64(long value) {
        MemorySegment payload = allocate(8);
        payload.set(JAVA_LONG, 0, value);
        return new Reply(payload, null);
    }

    /** An acknowledgement of failure: any number other than 0. */
    public static Reply failure() {
        return u64(1);
    }

    /**
     * SET_DEVICE_STATE_FD succeeded, and the front-end's own descriptor is used: bit 8 means that none is returned
     * (STA-MOV-3).
     */
    public static Reply noStateChannel() {
        return u64(1 << 8);
    }

    /** SET_DEVICE_STATE_FD failed: an error in bits 0 to 7, and no descriptor. */
    public static Reply stateFailure() {
        return u64((1 << 8) | 1);
    }

    /** The position at which a ring was stopped, a result of {@code Virtqueue.base()}. */
    public static Reply ringBase(int index, int base) {
        return new Reply(new RingState(index, base).encode(), null);
    }

    /** The config space's bytes, as many as were requested. */
    public static Reply config(ConfigAccess access, MemorySegment read) {
        return new Reply(access.encode(read), null);
    }

    /** In-flight memory: its position in the file, which is sent with it and closed then. */
    public static Reply inflight(InflightDescription description, Fd file) {
        return new Reply(description.encode(), file);
    }

    /** POSTCOPY_ADVISE: a userfaultfd, which is sent and closed then (VHU-PST-3). */
    public static Reply userfaultfd(Fd fd) {
        return new Reply(allocate(0), fd);
    }

    /** SET_MEM_TABLE in a post-copy migration: the regions, with their addresses in this process (VHU-PST-5). */
    public static Reply regions(List<RegionDescription> mapped) {
        return new Reply(MemoryTable.encode(mapped), null);
    }

    /** As {@link #mapped}, for ADD_MEM_REG. */
    public static Reply region(RegionDescription mapped) {
        MemorySegment payload = allocate(RegionDescription.SINGLE_SIZE);
        mapped.encode(payload, RegionDescription.PADDING);
        return new Reply(payload, null);
    }

    /** No payload: the error of GET_CONFIG and POSTCOPY_ADVISE. */
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

    /** Messages are rare, so that their memory is left to the garbage collector. */
    static MemorySegment allocate(int size) {
        return Arena.ofAuto().allocate(size, 8);
    }
}
