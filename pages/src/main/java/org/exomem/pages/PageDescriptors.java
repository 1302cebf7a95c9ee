package org.exomem.pages;

import java.util.List;

/**
 * The location of a guest's page descriptors, and how they mark a free page, as reported by its driver
 * (spec/free-page-bitmap.md, "Settled at a pause"). Untrusted: addresses may be anywhere, and ranges may overlap.
 *
 * @param pageShift log2 of the bytes of a page, 12 to 30
 * @param mostOrder the largest order of a free block, 0 to 30
 * @param stride bytes from one page's descriptor to the next, 4 to 4096
 * @param markOffset the offset of the mark in a descriptor, a little-endian word of 4 bytes within the stride
 * @param orderOffset the offset of the order of a free block, likewise, in the descriptor of its first page
 * @param markMask the bits of the mark that count; not 0
 * @param markValue the value of these bits for the first page of a free block
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
     * A little-endian word of 4 bytes in guest memory. The guard holds while the bits of {@code mask} equal those of {@code
     * value}.
     *
     * @param address guest-physical, in bytes
     */
    public record Guard(long address, int mask, int value) {
        /** True if the guard holds with this word. */
        public boolean holds(int word) {
            return (word & mask) == (value & mask);
        }
    }

    /**
     * Pages with consecutive descriptors.
     *
     * @param address guest-physical, of the first page, in bytes; a multiple of the page size
     * @param pages their number, of the size in {@link #pageShift}
     * @param descriptors guest-physical address of the first page's descriptor, in bytes
     * @param guards bit n: the range counts only if guard n holds (FPB-DESC-6); not 0
     */
    public record Range(long address, long pages, long descriptors, int guards) {}
}
