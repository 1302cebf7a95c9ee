package org.exomem.balloon;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;

/**
 * How fragmented free memory is: the bytes in aligned blocks of each size. Counts one GiB at a time, and 64 pages at once, so
 * fragmented memory takes no longer than other memory.
 */
final class BlockSizes {
    /** The largest block has 2^10 pages, as in most Linux kernels. */
    private static final int LARGEST = 10;

    /** A word of a set is a block of 2^6 pages, if all of them are in it. */
    private static final int WORD = 6;

    private static final int WORDS_OF_LARGEST = 1 << LARGEST - WORD;

    /** Element n has each bit whose number is a multiple of 2^(n + 1): where a pair of blocks of 2^n begins. */
    private static final long[] PAIRS = {
        0x5555_5555_5555_5555L,
        0x1111_1111_1111_1111L,
        0x0101_0101_0101_0101L,
        0x0001_0001_0001_0001L,
        0x0000_0001_0000_0001L,
        0x0000_0000_0000_0001L
    };

    private final long[] blocks = new long[LARGEST + 1];
    private int next;

    void clear() {
        Arrays.fill(blocks, 0);
        next = 0;
    }

    /** Counts the next GiB of the set; returns false if there is none left. */
    boolean countNext(PageSet pages) {
        if (next >= pages.chunks()) {
            return false;
        }
        for (int word = 0; word < PageSet.CHUNK_WORDS; word += WORDS_OF_LARGEST) {
            countLargest(pages, word);
        }
        next++;
        return true;
    }

    /** Counts what may be a block of the largest size. */
    private void countLargest(PageSet pages, int first) {
        long whole = 0;
        for (int i = 0; i < WORDS_OF_LARGEST; i++) {
            long word = pages.word(next, first + i);
            if (word != 0) {
                whole |= count(word, 0, WORD) << i;
            }
        }
        if (whole != 0) {
            blocks[LARGEST] += Long.bitCount(count(whole, WORD, LARGEST));
        }
    }

    /**
     * Joins pairs of blocks to larger ones, and counts those that are left alone.
     *
     * @param from a bit stands for 2^from pages
     * @param to blocks of 2^to pages are not counted
     * @return these: a bit for each, as many bits apart as it has pages of 2^from
     */
    private long count(long bits, int from, int to) {
        long left = bits;
        for (int order = from; order < to && left != 0; order++) {
            int half = 1 << order - from;
            long pairs = left & left >>> half & PAIRS[order - from];
            blocks[order] += Long.bitCount(left & ~(pairs | pairs << half));
            left = pairs;
        }
        return left;
    }

    /** The bytes in blocks of 2^n pages of 4096 bytes; element n, from 0 on. */
    List<Long> bytes() {
        List<Long> list = new ArrayList<>();
        for (int order = 0; order <= LARGEST; order++) {
            list.add(Pages.bytes(blocks[order] << order));
        }
        return list;
    }
}
