package org.exomem.mem;

import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;

/**
 * Work on the host memory behind a range of blocks, as far as it is shared, on pages no larger than a block. The kernel
 * takes seconds for much memory, so it is asked for a piece at a time, and each step of the event loop does a few of them
 * (MEM-STEP-1). One object does one such work after the other.
 *
 * <p>Where a file has pages larger than a piece, a page is the piece: it can't be cut.
 */
final class HostWork {
    /** The bytes that are given back by one system call: some milliseconds' work where they are small pages. */
    private static final long DISCARDED_AT_ONCE = 32L << 20;
    /** The bytes that are allocated by one system call: the kernel may have to find and to clear them. */
    private static final long ALLOCATED_AT_ONCE = 8L << 20;

    /** What to do to a part of a file. */
    @FunctionalInterface
    private interface Call {
        void apply(SharedFile file, long offset, long length) throws LinuxException;
    }

    private static final Call DISCARD = SharedFile::punchHole;
    private static final Call ALLOCATE = SharedFile::allocate;

    private final MemoryRegionPlan plan;
    private Call call = DISCARD;
    private long atOnce;
    /** All lower guest addresses are done. */
    private long address;

    private long end;

    HostWork(MemoryRegionPlan plan) {
        this.plan = plan;
    }

    /** Begins to give {@code count} blocks back to the host; they read as zeros then. */
    void discard(long first, long count) {
        begin(DISCARD, DISCARDED_AT_ONCE, first, count);
    }

    /** Begins to allocate {@code count} blocks. */
    void allocate(long first, long count) {
        begin(ALLOCATE, ALLOCATED_AT_ONCE, first, count);
    }

    /** Begins with nothing, which is done at once. */
    void nothing() {
        address = end;
    }

    private void begin(Call wanted, long bytesAtOnce, long first, long count) {
        call = wanted;
        atOnce = bytesAtOnce;
        address = plan.address() + first * plan.blockSize();
        end = address + count * plan.blockSize();
    }

    /**
     * Goes on as far as the budget of this step allows.
     *
     * @return true when all is done
     * @throws LinuxException if the host refuses; what was done before stays done
     */
    boolean goOn(GuestMemory memory, StepBudget budget) throws LinuxException {
        while (address < end) {
            if (budget.isSpent()) {
                return false;
            }
            MemoryRegion region = memory.findFrom(address);
            if (region == null || Long.compareUnsigned(region.guestAddress(), end) >= 0) {
                address = end;
                return true;
            }
            address = Math.max(address, region.guestAddress());
            doNext(region, budget);
        }
        return true;
    }

    private void doNext(MemoryRegion region, StepBudget budget) throws LinuxException {
        long inRegion = address - region.guestAddress();
        long rest = Math.min(end - address, region.size() - inRegion);
        long pageSize = region.file().pageSize();
        if (pageSize > plan.blockSize()) {
            address += rest;
            return;
        }
        long piece = Math.max(atOnce, pageSize);
        long offset = region.fileOffset() + inRegion;
        // Cut where the file has a border of pages, whatever its pages are.
        long length = Math.min(rest, (offset / piece + 1) * piece - offset);
        long start = budget.now();
        try {
            call.apply(region.file(), offset, length);
        } finally {
            budget.spend(StepBudget.CALL);
            budget.spendTimeSince(start);
        }
        address += length;
    }
}
