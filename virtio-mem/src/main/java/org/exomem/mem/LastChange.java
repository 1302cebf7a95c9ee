package org.exomem.mem;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;

/**
 * The last request that changed blocks, in memory that may outlive this process. It is noted before its effect begins, so
 * that a process that takes over can finish it; and it is remembered after that, so that the request, which the driver was
 * perhaps never answered and which then comes once more, is answered and not refused for having been carried out.
 *
 * <pre>
 *  0 valid       u64   1 if the rest counts
 *  8 type        u64
 * 16 addr        u64
 * 24 nb_blocks   u64
 * </pre>
 */
public final class LastChange {
    /** The bytes that it takes. */
    public static final long BYTES = 32;

    private static final VarHandle LONG = JAVA_LONG.varHandle();
    private static final long VALID = 0;
    private static final long TYPE = 8;
    private static final long ADDR = 16;
    private static final long NB_BLOCKS = 24;

    private final MemorySegment memory;

    /** @param memory of {@link #BYTES} bytes, aligned to 8; zeros are no change */
    public LastChange(MemorySegment memory) {
        this.memory = memory;
    }

    /** Remembers nothing beyond this process. */
    public LastChange() {
        this(MemorySegment.ofArray(new long[(int) BYTES / Long.BYTES]));
    }

    boolean isValid() {
        return (long) LONG.getAcquire(memory, VALID) == 1;
    }

    int type() {
        return (int) (long) LONG.get(memory, TYPE);
    }

    long address() {
        return (long) LONG.get(memory, ADDR);
    }

    int blocks() {
        return (int) (long) LONG.get(memory, NB_BLOCKS);
    }

    /** Notes a request. Whenever the process ends, either all of it counts or none. */
    void note(GuestRequest request) {
        forget();
        LONG.setRelease(memory, TYPE, (long) request.type());
        LONG.setRelease(memory, ADDR, request.address());
        LONG.setRelease(memory, NB_BLOCKS, (long) request.blocks());
        LONG.setRelease(memory, VALID, 1L);
    }

    boolean is(GuestRequest request) {
        return isValid()
                && type() == request.type()
                && (type() == GuestRequest.UNPLUG_ALL
                        || address() == request.address() && blocks() == request.blocks());
    }

    void forget() {
        LONG.setRelease(memory, VALID, 0L);
    }
}
