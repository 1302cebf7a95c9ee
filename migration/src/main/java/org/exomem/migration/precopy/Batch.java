package org.exomem.migration.precopy;

import org.exomem.pages.PageBits;
import org.exomem.pages.RunVisitor;

/** A few neighbouring pages that one worker handles. */
final class Batch {
    /** The most words of 64 pages: 1 MiB in pages of 4096 bytes. */
    private static final int WORDS = 4;

    private final long[] bits = new long[WORDS];
    private int firstWord;
    private int words;

    /**
     * Removes the next pages from a set.
     *
     * @param from the page at which the search begins
     * @return the page at which the next search begins; -1 if there are no pages from {@code from} on, which leaves this
     *     batch empty
     */
    long take(PageBits pages, long from) {
        long first = pages.next(from);
        if (first >= pages.pages()) {
            words = 0;
            return -1;
        }
        firstWord = (int) (first / PageBits.WORD);
        words = Math.min(WORDS, pages.words() - firstWord);
        for (int i = 0; i < words; i++) {
            bits[i] = pages.takeWord(firstWord + i);
        }
        return (long) (firstWord + words) * PageBits.WORD;
    }

    /** Empties the batch when its pages are done. */
    void finish() {
        words = 0;
    }

    /** Adds the pages that are not done to a set. */
    void giveBack(PageBits pages) {
        for (int i = 0; i < words; i++) {
            pages.orWord(firstWord + i, bits[i]);
        }
        words = 0;
    }

    /** Visits runs of pages, in ascending order. A run has at most 64 pages and does not cross a word. */
    <E extends Exception> void forEachRun(RunVisitor<E> visitor) throws E {
        for (int i = 0; i < words; i++) {
            long rest = bits[i];
            int at = 0;
            while (rest != 0) {
                int skip = Long.numberOfTrailingZeros(rest);
                rest >>>= skip;
                int count = Long.numberOfTrailingZeros(~rest);
                visitor.run((long) (firstWord + i) * PageBits.WORD + at + skip, count);
                at += skip + count;
                rest = count == PageBits.WORD ? 0 : rest >>> count;
            }
        }
    }
}
