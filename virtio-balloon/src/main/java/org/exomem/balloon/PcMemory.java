package org.exomem.balloon;

import java.util.List;
import org.exomem.vhostuser.memory.MemoryRegion;

/**
 * The layout of a PC's RAM in guest-physical memory, which the format of 2016 needs (FPB-RFC-1). No other part of the device
 * uses it.
 */
final class PcMemory {
    /** The address at which RAM continues after the hole for devices. */
    static final long FOUR_GIB = 1L << 32;

    private PcMemory() {}

    /**
     * The bytes of RAM below 4 GiB, that is, the end of the last region below 4 GiB. VMMs do not share the hole for the VGA
     * (640 KiB to 768 KiB), and it counts as RAM.
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
