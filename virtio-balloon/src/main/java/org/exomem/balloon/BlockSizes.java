package org.exomem.balloon;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;
import org.exomem.pages.RunVisitor;

/** How fragmented free memory is: the bytes in aligned blocks of each size. Counts one GiB at a time. */
final class BlockSizes {
    /** The largest block has 2^10 pages, as in most Linux kernels. */
    private static final int LARGEST = 10;

    private final long[] bytes = new long[LARGEST + 1];
    // Made once, to avoid an allocation for each GiB.
    private final RunVisitor<RuntimeException> add = this::add;
    private int next;

    void clear() {
        Arrays.fill(bytes, 0);
        next = 0;
    }

    /** Counts the next GiB of the set; returns false if there is none left. */
    boolean countNext(PageSet pages) {
        if (next >= pages.chunks()) {
            return false;
        }
        long first = (long) next * PageSet.CHUNK_PAGES;
        pages.forEachRun(first, first + PageSet.CHUNK_PAGES, true, add);
        next++;
        return true;
    }

    private void add(long first, long count) {
        long at = first;
        for (long left = count; left > 0; ) {
            int order =
                    Math.min(LARGEST, Math.min(Long.numberOfTrailingZeros(at), 63 - Long.numberOfLeadingZeros(left)));
            // Blocks of the largest size are contiguous.
            long taken = order == LARGEST ? left >> LARGEST << LARGEST : 1L << order;
            bytes[order] += Pages.bytes(taken);
            at += taken;
            left -= taken;
        }
    }

    /** The bytes in blocks of 2^n pages of 4096 bytes; element n, from 0 on. */
    List<Long> bytes() {
        List<Long> list = new ArrayList<>();
        for (long value : bytes) {
            list.add(value);
        }
        return list;
    }
}
