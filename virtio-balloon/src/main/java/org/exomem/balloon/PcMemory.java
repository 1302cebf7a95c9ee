package org.exomem.balloon;

import java.util.List;
import org.exomem.vhostuser.memory.MemoryRegion;

/** How a PC's RAM lies in guest-physical memory, which the format of 2016 asks for (FPB-RFC-1). No other part of the device knows it. */
final class PcMemory {
    /** Where RAM goes on behind the hole for devices. */
    static final long FOUR_GIB = 1L << 32;

    private PcMemory() {}

    /**
     * The bytes of RAM below 4 GiB. VMMs leave the hole for the VGA out of what they share (640 KiB to 768 KiB), and it counts as RAM:
     * so this is where the last region below 4 GiB ends.
     *
     * @param regions in the order of their guest addresses
     */
    static long lowBytes(List<MemoryRegion> regions) {
        long end = 0;
        for (MemoryRegion region : regions) {
            if (Long.compareUnsigned(region.guestAddress(), FOUR_GIB) < 0) {
                end = Math.min(FOUR_GIB, region.guestAddress() + region.size());
            }
        }
        return end;
    }
}
