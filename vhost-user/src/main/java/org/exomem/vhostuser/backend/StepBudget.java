package org.exomem.vhostuser.backend;

import java.util.function.LongSupplier;

/**
 * How much a device may still do in this step of its VM's event loop, so that a driver that asks for very much at once
 * delays nothing else for long: no step takes more than 20 ms. A device that has spent its budget leaves the rest to a
 * later step ({@link DeviceLink#processAgain}, {@link DeviceLink#later}).
 *
 * <p>Small pieces of work are counted and not timed, because the clock would cost more than most of them; a unit stands for
 * about 10 ns. Long system calls can be {@linkplain #spendTimeSince timed}. Belongs to the event loop of a VM.
 */
public final class StepBudget {
    /** Units of a step: about 5 ms, which leaves a margin for hosts that are slow or busy. */
    static final int UNITS = 1 << 19;

    private static final long UNIT_NANOS = 10;

    /** Units for a page number that is read, sorted, and put in or out. */
    public static final int PAGE_NUMBER = 4;
    /** Units for a buffer or a run of pages that is looked at. */
    public static final int RUN = 8;
    /** Units for a request that is checked and answered. */
    public static final int REQUEST = 50;
    /** Units for a system call. */
    public static final int CALL = 300;
    /** Units for a page of 4096 bytes that the kernel frees. */
    public static final int FREED_PAGE = 20;
    /** Units for 64 pages of a set that are changed. */
    public static final int WORD = 2;

    private final LongSupplier nanoTime;
    private long left;

    /** A budget that times by the clock of the system. */
    public StepBudget() {
        this(System::nanoTime);
    }

    /** @param nanoTime a clock in nanoseconds, as {@link System#nanoTime} */
    public StepBudget(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
    }

    /** A step begins. */
    public void begin() {
        left = UNITS;
    }

    /** Counts work that was done, in units; the last bit of a step may go beyond what is left. */
    public void spend(long units) {
        left -= units;
    }

    /** The time now, in ns, for {@link #spendTimeSince}. */
    public long now() {
        return nanoTime.getAsLong();
    }

    /** Counts the time since {@code start} as work. */
    public void spendTimeSince(long start) {
        spend((nanoTime.getAsLong() - start) / UNIT_NANOS);
    }

    /** True if the rest of the work is to be left to a later step. */
    public boolean isSpent() {
        return left <= 0;
    }
}
