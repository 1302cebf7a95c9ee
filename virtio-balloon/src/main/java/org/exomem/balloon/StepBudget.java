package org.exomem.balloon;

/**
 * How much a device may still do in this step of its VM's event loop, so that a driver that asks for very much at once
 * delays nothing else for long: no step takes more than 20 ms (VU-LOOP-1). Work is counted and not timed, because the
 * clock would cost more than most of the work; a unit stands for about 10 ns. What is left is done in the steps that
 * follow. Belongs to the event loop of a VM.
 */
final class StepBudget {
    /** Units of a step: about 5 ms, which leaves a margin for hosts that are slow or busy. */
    static final int UNITS = 1 << 19;

    /** A page number that is read, sorted, and put in or out. */
    static final int PAGE_NUMBER = 4;
    /** A buffer or a run of pages that is looked at. */
    static final int RUN = 8;
    /** A system call. */
    static final int CALL = 300;
    /** A page of 4096 bytes that the kernel frees. */
    static final int FREED_PAGE = 20;
    /** 64 pages of a set that are changed. */
    static final int WORD = 2;

    private long left;

    /** A step begins. */
    void begin() {
        left = UNITS;
    }

    /** Counts work that was done; the last bit of a step may go beyond what is left. */
    void spend(long units) {
        left -= units;
    }

    /** True if the rest of the work is to be left to the next step. */
    boolean isSpent() {
        return left <= 0;
    }
}
