package org.exomem.balloon;

import java.util.function.Consumer;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.LatePages;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.jspecify.annotations.Nullable;

/**
 * Gives guest memory back to the host by punching holes into the regions' files. {@code madvise} would not work: it empties
 * this process's page tables, and the pages stay in the file.
 *
 * <p>Ranges that are contiguous in one file become one call, also where guest addresses have a gap between them (the hole
 * below 4 GiB). Only whole pages of the file are punched. A range is unchanged before {@link #flush}. Chains are given back
 * to the driver after it, because a page must not be emptied when the guest has it again. Used on the VM's event loop.
 */
final class Discarder {
    /** The system call: {@link SharedFile#punchHole}. */
    @FunctionalInterface
    interface Punch {
        void punch(SharedFile file, long offset, long length) throws LinuxException;
    }

    /** At this many bytes the gathered range is punched: some milliseconds' work for the kernel. */
    private static final long MOST_AT_ONCE = 32L << 20;

    private final HostFaults faults = new HostFaults(System::nanoTime);
    private final Punch punch;
    private final Consumer<String> hostFault;
    private final StepBudget budget;
    private @Nullable SharedFile file;
    private @Nullable LatePages late;
    private long start;
    private long end;
    private long discardedBytes;

    /**
     * @param hostFault receives descriptions of failures
     * @param budget pays for system calls
     */
    Discarder(Punch punch, Consumer<String> hostFault, StepBudget budget) {
        this.punch = punch;
        this.budget = budget;
        this.hostFault = hostFault;
    }

    /** The bytes given back since the device was made. */
    long discardedBytes() {
        return discardedBytes;
    }

    /**
     * The most bytes of a file to add at once, a multiple of its page size. A longer range must be cut at multiples of it,
     * so that no page of the file is cut.
     */
    static long mostAtOnce(SharedFile file) {
        return Math.max(MOST_AT_ONCE, file.pageSize());
    }

    /** Adds the bytes from {@code from} to before {@code to} of a region's file, at most {@link #mostAtOnce}. */
    void add(MemoryRegion region, long from, long to) {
        SharedFile other = region.file();
        SharedFile current = file;
        boolean sameFile = current != null && (current == other || current.isSameFileAs(other));
        if (sameFile && from <= end && to >= start) {
            start = Math.min(start, from);
            end = Math.max(end, to);
        } else {
            flush();
            file = other;
            late = region.latePages();
            start = from;
            end = to;
        }
        if (end - start >= mostAtOnce(other)) {
            flush();
        }
    }

    /**
     * Forgets ranges that were added and not punched, before another front-end connects and the files of the last one are
     * closed.
     */
    void forget() {
        file = null;
    }

    /** Punches the whole pages of what was added. */
    void flush() {
        SharedFile current = file;
        if (current == null) {
            return;
        }
        file = null;
        long from = (start + current.pageSize() - 1) & -current.pageSize();
        long to = end & -current.pageSize();
        if (from >= to) {
            return;
        }
        budget.spend(StepBudget.CALL + StepBudget.FREED_PAGE * ((to - from) / current.pageSize()));
        try {
            punch.punch(current, from, to - from);
            discardedBytes += to - from;
            if (late != null) {
                late.discard(from, to - from);
            }
        } catch (LinuxException e) {
            faults.report(e, "the host keeps this memory, and the guest continues", hostFault);
        }
    }
}
