package org.exomem.pages;

import java.util.List;

/**
 * Where a guest's page descriptors are, and how a free page is marked in them, as its driver says (spec/free-page-bitmap.md, "Settled at
 * a pause"). All of it is the guest's word: addresses may be anywhere, and ranges may overlap.
 *
 * @param pageShift log2 of the bytes of a page, 12 to 30
 * @param mostOrder the largest order of a free block, 0 to 30
 * @param stride bytes from one page's descriptor to the next one's, 4 to 4096
 * @param markOffset of a little-endian word of 4 bytes in the descriptor, within the stride
 * @param orderOffset the same, of the order of a free block, in the descriptor of its first page
 * @param markMask the bits of the mark that count; not 0
 * @param markValue what these bits are where a page is the first one of a free block
 * @param guards 1 to 32
 * @param ranges at most 65536 in all
 */
public record PageDescriptors(
        int pageShift,
        int mostOrder,
        int stride,
        int markOffset,
        int orderOffset,
        int markMask,
        int markValue,
        List<Guard> guards,
        List<Range> ranges) {

    public PageDescriptors {
        guards = List.copyOf(guards);
        ranges = List.copyOf(ranges);
    }

    /**
     * A little-endian word of 4 bytes in guest memory. It holds while it is {@code value} in the bits of {@code mask}.
     *
     * @param address guest-physical, in bytes
     */
    public record Guard(long address, int mask, int value) {
        /** True if a guard that reads as that word holds. */
        public boolean holds(int word) {
            return (word & mask) == (value & mask);
        }
    }

    /**
     * Pages whose descriptors lie one after the other.
     *
     * @param address guest-physical, of the first page, in bytes; a multiple of the page size
     * @param pages how many, of the size that {@link #pageShift} tells
     * @param descriptors guest-physical address of the first page's descriptor, in bytes
     * @param guards bit n: guard n has to hold, or the range says nothing (FPB-DESC-6); not 0
     */
    public record Range(long address, long pages, long descriptors, int guards) {}
}
