package org.exomem.mem;

import java.util.function.LongSupplier;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.jspecify.annotations.Nullable;

/**
 * Examines whether blocks that the guest unplugged have data again (MEM-VIO-1, MEM-VIO-2). A back-end cannot prevent the use
 * of the VMM's mappings, so a guest that writes to an unplugged block gets host memory for it. The file shows it ({@code
 * SEEK_DATA}) without reading.
 *
 * <p>A round goes through the region in slices of bounded time (MEM-VIO-3). Plugged blocks are left alone (MEM-BLK-1).
 * Reading a hole in shared memory allocates a page too, so a VMM that dumps the guest's memory looks like a guest that uses
 * it (MEM-VIO-4).
 *
 * <p>On hugetlbfs every byte counts as data, whether there is a page or not (MEM-VIO-5). There unplugged blocks are punched
 * without examination, and the decrease of the file's memory is what was found. Without punching, nothing can be found. Used
 * on the VM's event loop.
 */
public final class Patrol {
    /**
     * The result of a whole round.
     *
     * @param bytes of host memory that unplugged blocks had again
     * @param blocks the number of those blocks
     * @param nanos the time spent, in ns
     */
    public record Round(long bytes, long blocks, long nanos) {}

    private final MemoryRegionPlan plan;
    private final BlockMap blocks;
    private final LongSupplier clock;
    /** Everything below was examined in this round; in bytes from the start of the region. */
    private long cursor;

    private long foundBytes;
    private long foundBlocks;
    private long lastFound = -1;
    private long spent;

    Patrol(MemoryRegionPlan plan, BlockMap blocks, LongSupplier clock) {
        this.plan = plan;
        this.blocks = blocks;
        this.clock = clock;
    }

    /**
     * Continues the round.
     *
     * @param punch give found memory back to the host
     * @param budget ns after which to stop; one system call may exceed it
     * @return the result of the round if it is complete, or null
     */
    @Nullable
    Round slice(GuestMemory memory, boolean punch, long budget) throws LinuxException {
        long start = clock.getAsLong();
        long deadline = start + budget;
        try {
            while (cursor < plan.size()) {
                step(memory, punch, deadline);
                if (clock.getAsLong() >= deadline) {
                    break;
                }
            }
        } finally {
            spent += clock.getAsLong() - start;
        }
        if (cursor < plan.size()) {
            return null;
        }
        Round round = new Round(foundBytes, foundBlocks, spent);
        restart();
        return round;
    }

    /** Abandons the round under way. */
    void restart() {
        cursor = 0;
        foundBytes = 0;
        foundBlocks = 0;
        lastFound = -1;
        spent = 0;
    }

    /** Examines the next unplugged blocks, as far as they are in one file. */
    private void step(GuestMemory memory, boolean punch, long deadline) throws LinuxException {
        long first = blocks.next(cursor / plan.blockSize(), plan.blocks(), false);
        if (first == plan.blocks()) {
            cursor = plan.size();
            return;
        }
        cursor = Math.max(cursor, first * plan.blockSize());
        long end = blocks.next(first, plan.blocks(), true) * plan.blockSize();
        MemoryRegion region = memory.findFrom(plan.address() + cursor);
        if (region == null || Long.compareUnsigned(region.guestAddress(), plan.address() + end) >= 0) {
            cursor = end;
            return;
        }
        cursor = Math.max(cursor, region.guestAddress() - plan.address());
        long inRegion = plan.address() + cursor - region.guestAddress();
        long length = Math.min(end - cursor, region.size() - inRegion);
        long offset = region.fileOffset() + inRegion;
        if (region.file().pageSize() > SharedFile.SMALL_PAGE) {
            punchUnseen(region.file(), offset, Math.min(length, plan.blockSize()), punch);
        } else {
            search(region.file(), offset, length, punch, deadline);
        }
    }

    private void search(SharedFile file, long offset, long length, boolean punch, long deadline) throws LinuxException {
        long end = offset + length;
        long data = file.nextData(offset);
        if (data < 0 || data >= end) {
            cursor += length;
            return;
        }
        // Not SEEK_HOLE: data may continue into plugged blocks, and the kernel would walk all of it.
        long hole = data;
        long next = data;
        while (next == hole && hole < end && clock.getAsLong() < deadline) {
            hole += SharedFile.SMALL_PAGE;
            next = file.nextData(hole);
        }
        if (hole > data) {
            found(cursor + data - offset, hole - data);
            if (punch) {
                file.punchHole(data, hole - data);
            }
        }
        cursor += hole - offset;
    }

    private void found(long from, long bytes) {
        long first = Math.max(from / plan.blockSize(), lastFound + 1);
        long last = (from + bytes - 1) / plan.blockSize();
        foundBytes += bytes;
        foundBlocks += Math.max(0, last - first + 1);
        lastFound = Math.max(lastFound, last);
    }

    private void punchUnseen(SharedFile file, long offset, long length, boolean punch) throws LinuxException {
        if (punch) {
            long before = file.allocatedBytes();
            file.punchHole(offset, length);
            long returned = before - file.allocatedBytes();
            // The guest may touch plugged blocks of the same file meanwhile. The difference is then smaller, or 0.
            if (returned > 0) {
                found(cursor, Math.min(returned, length));
            }
        }
        cursor += length;
    }
}
