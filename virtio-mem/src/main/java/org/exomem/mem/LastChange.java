package org.exomem.mem;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.exomem.vhostuser.memory.CorruptBitsException;

/**
 * The last request that changed blocks, in memory that may outlive this process. It is noted before its effect begins, so
 * that a process that takes over can finish it; and it is remembered after that, so that the request, which the driver was
 * perhaps never answered and which then comes once more, is answered and not refused for having been carried out.
 *
 * <pre>
 *  0 valid       u64   1 if the rest counts
 *  8 type        u64
 * 16 first       u64   number of the first block
 * 24 count       u64   number of blocks
 * 32 check       u64   a hash of the three before
 * </pre>
 */
final class LastChange {
    /** The bytes that it takes. */
    static final long BYTES = 40;

    private static final VarHandle LONG = JAVA_LONG.varHandle();
    private static final long VALID = 0;
    private static final long TYPE = 8;
    private static final long FIRST = 16;
    private static final long COUNT = 24;
    private static final long CHECK = 32;

    private final MemorySegment memory;

    private LastChange(MemorySegment memory) {
        this.memory = memory;
    }

    /** Remembers nothing beyond this process. */
    static LastChange ofHeap() {
        return new LastChange(MemorySegment.ofArray(new long[(int) BYTES / Long.BYTES]));
    }

    /**
     * Takes up what the memory holds; zeros are no change.
     *
     * @param memory of {@link #BYTES} bytes, aligned to 8
     * @param blocks the number of blocks that the device has
     * @throws CorruptBitsException if it is no change of such a device
     */
    static LastChange open(MemorySegment memory, long blocks) throws CorruptBitsException {
        LastChange last = new LastChange(memory);
        long valid = (long) LONG.get(memory, VALID);
        if (valid == 0) {
            return last;
        }
        boolean known = last.type() == GuestRequest.UNPLUG_ALL
                || (last.type() == GuestRequest.PLUG || last.type() == GuestRequest.UNPLUG)
                        && last.count() > 0
                        && last.first() >= 0
                        && last.first() <= blocks - last.count();
        if (valid != 1 || !known || (long) LONG.get(memory, CHECK) != check(last.type(), last.first(), last.count())) {
            throw new CorruptBitsException(String.format(
                    "the last change (type %d, %d blocks from block %d on, valid %d) can't be one of %d blocks, or does"
                            + " not match its check",
                    last.type(), last.count(), last.first(), valid, blocks));
        }
        return last;
    }

    boolean isValid() {
        return (long) LONG.get(memory, VALID) == 1;
    }

    /** One of {@link GuestRequest}'s constants. */
    long type() {
        return (long) LONG.get(memory, TYPE);
    }

    long first() {
        return (long) LONG.get(memory, FIRST);
    }

    long count() {
        return (long) LONG.get(memory, COUNT);
    }

    /** Notes a change, unless it is the one that is noted. Whenever the process ends, either all of it counts or none. */
    void note(int type, long first, long count) {
        if (is(type, first, count)) {
            return;
        }
        forget();
        LONG.setRelease(memory, TYPE, (long) type);
        LONG.setRelease(memory, FIRST, first);
        LONG.setRelease(memory, COUNT, count);
        LONG.setRelease(memory, CHECK, check(type, first, count));
        LONG.setRelease(memory, VALID, 1L);
    }

    boolean is(int type, long first, long count) {
        return isValid() && type() == type && first() == first && count() == count;
    }

    void forget() {
        LONG.setRelease(memory, VALID, 0L);
    }

    private static long check(long type, long first, long count) {
        long h = (type + 1) * 0x9e3779b97f4a7c15L
                ^ (first + 1) * 0xc2b2ae3d27d4eb4fL
                ^ (count + 1) * 0x165667b19e3779f9L;
        return (h ^ h >>> 29) * 0xd6e8feb86659fd93L;
    }
}
