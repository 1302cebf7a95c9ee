package org.exomem.vhostuser.protocol;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.exomem.linux.Fd;
import org.jspecify.annotations.Nullable;

/**
 * A notifier for a ring, or its absence: a u64 with the ring's index in bits 0 to 7, and bit 8 set if no descriptor is sent
 * (VHU-PAY-10).
 */
public record RingFd(int index, @Nullable Fd fd) {
    private static final long INDEX_MASK = 0xff;
    private static final long NO_FD = 0x100;

    static RingFd decode(RequestType type, MemorySegment payload, List<Fd> fds) {
        long value = payload.get(JAVA_LONG, 0);
        if ((value & ~(INDEX_MASK | NO_FD)) != 0) {
            throw new FrontEndFault(type + " has unknown bits set: 0x" + Long.toHexString(value));
        }
        boolean none = (value & NO_FD) != 0;
        if (none == (fds.size() == 1)) {
            throw new FrontEndFault(type
                    + (none
                            ? " has the no-descriptor bit set, but came with a descriptor"
                            : " came without its descriptor"));
        }
        return new RingFd((int) (value & INDEX_MASK), none ? null : fds.getFirst());
    }
}
