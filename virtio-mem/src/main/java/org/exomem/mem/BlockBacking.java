package org.exomem.mem;

import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.jspecify.annotations.Nullable;

/** Whether the front-end shares the memory behind the blocks of a device. */
final class BlockBacking {
    private final MemoryRegionPlan plan;

    BlockBacking(MemoryRegionPlan plan) {
        this.plan = plan;
    }

    /** True if the front-end shares the memory of these blocks, on pages no larger than a block. */
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

    /** Why some blocks of the region cannot be used with this memory, for the operator; null if all can. */
    @Nullable
    String missing(GuestMemory memory) {
        long address = plan.address();
        while (address < plan.address() + plan.size()) {
            MemoryRegion region = memory.find(address);
            if (region == null) {
                return String.format(
                        "the VMM shares no memory at %#x, which belongs to the device's region of %d bytes at %#x:"
                                + " blocks there can't be plugged",
                        address, plan.size(), plan.address());
            }
            if (region.file().pageSize() > plan.blockSize()) {
                return String.format(
                        "the VMM's memory at %#x has pages of %d bytes, larger than the blocks of %d bytes: no block"
                                + " there can be plugged; use a block size of at least the page size",
                        address, region.file().pageSize(), plan.blockSize());
            }
            address = region.guestAddress() + region.size();
        }
        return null;
    }
}
