package org.exomem.backend.map;

import java.util.List;
import java.util.Map;

/**
 * What the pages of a range of guest addresses were, at about one moment: a VM's loop is asked GiB by GiB, and goes on meanwhile.
 *
 * @param pages for each kind, how many pages of each cell are of it, of 4096 bytes
 * @param regions where the guest has memory, in ascending order
 */
public record MemoryMap(MapRange range, Map<PageKind, long[]> pages, List<Region> regions) {
    /**
     * Memory that the front-end shares. In bytes.
     *
     * @param address guest address of the first byte
     */
    public record Region(long address, long length) {
        /** The first address behind it. */
        public long end() {
            return address + length;
        }
    }

    /** The pages of a kind in all cells. */
    public long sum(PageKind kind) {
        long sum = 0;
        for (long count : pages.getOrDefault(kind, new long[0])) {
            sum += count;
        }
        return sum;
    }
}
