package org.exomem.backend.map;

import java.util.List;
import java.util.Map;

/**
 * The kinds of the pages in a range of guest addresses, at about one moment: the VM's loop is asked for one GiB after the
 * other, and goes on meanwhile.
 *
 * @param pages the number of pages of each kind in each cell; pages of 4096 bytes
 * @param regions where the guest has memory, in ascending order
 */
public record MemoryMap(MapRange range, Map<PageKind, long[]> pages, List<Region> regions) {
    /**
     * Memory that the front-end shares. In bytes.
     *
     * @param address guest address of the first byte
     */
    public record Region(long address, long length) {
        /** The first address after it. */
        public long end() {
            return address + length;
        }
    }

    /** The number of pages of a kind in all cells. */
    public long sum(PageKind kind) {
        long sum = 0;
        for (long count : pages.getOrDefault(kind, new long[0])) {
            sum += count;
        }
        return sum;
    }
}
