package org.exomem.mem;

import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.jspecify.annotations.Nullable;

/** The host's memory behind the blocks of a device, in the files that the front-end shares. */
final class BlockBacking {
    /** What to do to a part of a file. */
    @FunctionalInterface
    private interface FileAction {
        void apply(SharedFile file, long offset, long length) throws LinuxException;
    }

    private final MemoryRegionPlan plan;

    BlockBacking(MemoryRegionPlan plan) {
        this.plan = plan;
    }

    /**
     * Gives the blocks back to the host, as far as they lie in memory that is shared, on pages no larger than a block; they
     * read as zeros. One system call for each part of a file.
     */
    void discard(GuestMemory memory, long first, long count) throws LinuxException {
        forEachPart(memory, first, count, SharedFile::punchHole);
    }

    /** Allocates the blocks, as far as {@link #discard} gives them back; what was allocated before a failure is given back. */
    void allocate(GuestMemory memory, long first, long count) throws LinuxException {
        try {
            forEachPart(memory, first, count, SharedFile::allocate);
        } catch (LinuxException e) {
            discard(memory, first, count);
            throw e;
        }
    }

    /** True if the blocks lie in memory that is shared, on pages no larger than a block. */
    boolean covers(GuestMemory memory, long first, long count) {
        long address = plan.address() + first * plan.blockSize();
        long end = address + count * plan.blockSize();
        while (address < end) {
            MemoryRegion region = memory.find(address);
            if (region == null || region.file().pageSize() > plan.blockSize()) {
                return false;
            }
            address = region.guestAddress() + region.size();
        }
        return true;
    }

    /** Why not all blocks of the region can be used with this memory, for the operator; null if they can. */
    @Nullable
    String missing(GuestMemory memory) {
        long address = plan.address();
        while (address < plan.address() + plan.size()) {
            MemoryRegion region = memory.find(address);
            if (region == null) {
                return String.format(
                        "the front-end shares no memory at %#x, which belongs to the device's region of %d bytes from %#x"
                                + " on: blocks there can't be plugged",
                        address, plan.size(), plan.address());
            }
            if (region.file().pageSize() > plan.blockSize()) {
                return String.format(
                        "the front-end's memory at %#x is of pages of %d bytes, larger than the blocks of %d: no block"
                                + " there can be plugged; choose a block size of at least the pages'",
                        address, region.file().pageSize(), plan.blockSize());
            }
            address = region.guestAddress() + region.size();
        }
        return null;
    }

    private void forEachPart(GuestMemory memory, long first, long count, FileAction action) throws LinuxException {
        long address = plan.address() + first * plan.blockSize();
        long end = address + count * plan.blockSize();
        while (address < end) {
            MemoryRegion region = memory.findFrom(address);
            if (region == null || Long.compareUnsigned(region.guestAddress(), end) >= 0) {
                return;
            }
            address = Math.max(address, region.guestAddress());
            long offset = address - region.guestAddress();
            long part = Math.min(end - address, region.size() - offset);
            if (region.file().pageSize() <= plan.blockSize()) {
                action.apply(region.file(), region.fileOffset() + offset, part);
            }
            address += part;
        }
    }
}
