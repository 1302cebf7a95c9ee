package org.exomem.mem;

import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;

/**
 * Work on the host memory of a range of blocks, where it is shared and on pages no larger than a block. The kernel takes
 * seconds for much memory, so each system call is for one piece, and each step of the event loop does a few pieces
 * (MEM-STEP-1). One object does one range after the other.
 *
 * <p>Where a file has pages larger than a piece, one page is the piece, because it cannot be cut.
 */
final class HostWork {
    /** The bytes that one system call gives back: some milliseconds' work where they are small pages. */
    private static final long DISCARDED_AT_ONCE = 32L << 20;
    /** The bytes that one system call allocates: the kernel may have to find and clear them. */
    private static final long ALLOCATED_AT_ONCE = 8L << 20;

    /** The work to do on a part of a file. */
    @FunctionalInterface
    private interface Call {
        void apply(SharedFile file, long offset, long length) throws LinuxException;
    }

    private static final Call DISCARD = SharedFile::punchHole;
    private static final Call ALLOCATE = SharedFile::allocate;

    private final MemoryRegionPlan plan;
    private Call call = DISCARD;
    private long atOnce;
    /** The next guest address; all lower ones are done. */
    private long address;

    private long end;

    HostWork(MemoryRegionPlan plan) {
        this.plan = plan;
    }

    /** Begins to give {@code count} blocks back to the host; they then read as zeros. */
    void discard(long first, long count) {
        begin(DISCARD, DISCARDED_AT_ONCE, first, count);
    }

    /** Begins to allocate {@code count} blocks. */
    void allocate(long first, long count) {
        begin(ALLOCATE, ALLOCATED_AT_ONCE, first, count);
    }

    /** Begins with no work, which is done at once. */
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
     * Continues as far as the budget of this step allows.
     *
     * @return true when all is done
     * @throws LinuxException if the host refuses; the pieces done before stay done
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
        // Cut at a border of pieces in the file, whatever its page size.
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
