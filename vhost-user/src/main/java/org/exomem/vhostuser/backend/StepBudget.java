package org.exomem.vhostuser.backend;

import java.util.function.LongSupplier;

/**
 * The work that a device may still do in this step of its VM's event loop. It limits the delay that a driver with a large
 * request causes: no step takes more than 20 ms. A device that has spent its budget leaves the rest to a later step ({@link
 * DeviceLink#processAgain}, {@link DeviceLink#later}).
 *
 * <p>Small work is counted and not timed, because reading the clock would cost more than most of it; a unit is about 10 ns.
 * Long system calls can be {@linkplain #spendTimeSince timed}. Used on the VM's event loop.
 */
public final class StepBudget {
    /** Units of a step: about 5 ms, which leaves a margin for hosts that are slow or busy. */
    static final int UNITS = 1 << 19;

    private static final long UNIT_NANOS = 10;

    /** Units for a page number that is read, sorted, and added or removed. */
    public static final int PAGE_NUMBER = 4;
    /** Units for a buffer or a run of pages. */
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

    /** A budget that uses the system's clock. */
    public StepBudget() {
        this(System::nanoTime);
    }

    /** @param nanoTime a clock in nanoseconds, like {@link System#nanoTime} */
    public StepBudget(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
    }

    /** Begins a step. */
    public void begin() {
        left = UNITS;
    }

    /** Counts work in units; the last piece of a step may exceed the budget. */
    public void spend(long units) {
        left -= units;
    }

    /** The present time in ns, for {@link #spendTimeSince}. */
    public long now() {
        return nanoTime.getAsLong();
    }

    /** Counts the time since {@code start} as work. */
    public void spendTimeSince(long start) {
        spend((nanoTime.getAsLong() - start) / UNIT_NANOS);
    }

    /** True if the rest of the work must be left to a later step. */
    public boolean isSpent() {
        return left <= 0;
    }
}
