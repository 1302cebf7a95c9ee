package org.exomem.mem;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.exomem.pages.CorruptBitsException;
import org.jspecify.annotations.Nullable;

/**
 * The last request that changed blocks, in memory that may outlive this process. It is noted before its effect begins, so
 * that a process that takes over can finish it. It is remembered afterwards too: perhaps it was never answered, and then the
 * request is made available again. It is then answered, and not refused because its blocks have the wanted state already.
 *
 * <pre>
 *  0 check       u64   a hash of the rest, always odd; another constant if there is no change
 *  8 type        u64
 * 16 first       u64   number of the first block
 * 24 count       u64   number of blocks
 * 32 position    u64   where in the used ring the request is answered, as Virtqueue.usedPosition() has it
 * </pre>
 */
final class LastChange {
    /** The bytes that a change takes. */
    static final long BYTES = 40;

    private static final VarHandle LONG = JAVA_LONG.varHandle();
    private static final long CHECK = 0;
    private static final long TYPE = 8;
    private static final long FIRST = 16;
    private static final long COUNT = 24;
    private static final long POSITION = 32;
    /** The check when there is no change; not 0, so that wiped memory is not valid. */
    private static final long NONE = 0x6e6f6368616e6765L & ~1;

    private final MemorySegment memory;

    private LastChange(MemorySegment memory) {
        this.memory = memory;
    }

    /** Remembers nothing beyond this process. */
    static LastChange ofHeap() {
        LastChange last = new LastChange(MemorySegment.ofArray(new long[(int) BYTES / Long.BYTES]));
        last.forget();
        return last;
    }

    /** Initializes empty memory as one that holds no change. */
    static void format(MemorySegment memory) {
        new LastChange(memory).forget();
    }

    /**
     * Opens what the memory holds.
     *
     * @param memory of {@link #BYTES} bytes, aligned to 8
     * @param blocks the number of blocks that the device has
     * @throws CorruptBitsException if it is not a change of such a device
     */
    static LastChange open(MemorySegment memory, long blocks) throws CorruptBitsException {
        LastChange last = new LastChange(memory);
        if (!last.isValid()) {
            return last;
        }
        boolean known = last.type() == RequestType.UNPLUG_ALL
                || (last.type() == RequestType.PLUG || last.type() == RequestType.UNPLUG)
                        && last.count() > 0
                        && last.first() >= 0
                        && last.first() <= blocks - last.count();
        if (!known || last.check() != check(last.typeNumber(), last.first(), last.count(), last.position())) {
            throw new CorruptBitsException(String.format(
                    "the last change (type %d, %d blocks from block %d on) can't be one of %d blocks, or does not match"
                            + " its check",
                    last.typeNumber(), last.count(), last.first(), blocks));
        }
        return last;
    }

    boolean isValid() {
        return check() != NONE;
    }

    /** The type of the change; null if the memory holds none. */
    @Nullable
    RequestType type() {
        return RequestType.of(typeNumber());
    }

    private long typeNumber() {
        return (long) LONG.get(memory, TYPE);
    }

    long first() {
        return (long) LONG.get(memory, FIRST);
    }

    long count() {
        return (long) LONG.get(memory, COUNT);
    }

    private int position() {
        return (int) (long) LONG.get(memory, POSITION);
    }

    private long check() {
        return (long) LONG.get(memory, CHECK);
    }

    /**
     * Notes a change, unless it is already noted. Whenever the process ends, either all of it counts or none (STA-LAST-1).
     */
    void note(RequestType type, long first, long count, int position) {
        if (is(type, first, count, position)) {
            return;
        }
        forget();
        LONG.setRelease(memory, TYPE, (long) type.number());
        LONG.setRelease(memory, FIRST, first);
        LONG.setRelease(memory, COUNT, count);
        LONG.setRelease(memory, POSITION, (long) position);
        LONG.setRelease(memory, CHECK, check(type.number(), first, count, position));
    }

    /** True if this change is noted. */
    boolean is(RequestType type, long first, long count, int position) {
        return isValid() && type() == type && first() == first && count() == count && position() == position;
    }

    void forget() {
        LONG.setRelease(memory, CHECK, NONE);
    }

    private static long check(long type, long first, long count, long position) {
        long h = (type + 1) * 0x9e3779b97f4a7c15L
                ^ (first + 1) * 0xc2b2ae3d27d4eb4fL
                ^ (count + 1) * 0x165667b19e3779f9L
                ^ (position + 1) * 0x27d4eb2f165667c5L;
        return (h ^ h >>> 29) * 0xd6e8feb86659fd93L | 1;
    }
}
