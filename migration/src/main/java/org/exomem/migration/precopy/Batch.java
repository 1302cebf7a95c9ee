package org.exomem.migration.precopy;

import org.exomem.pages.PageBits;
import org.exomem.pages.RunVisitor;

/** Some pages near each other that one worker deals with. */
final class Batch {
    /** The most words of 64 pages: 1 MiB of pages of 4096 bytes. */
    private static final int WORDS = 4;

    private final long[] bits = new long[WORDS];
    private int firstWord;
    private int words;

    /**
     * Takes the next pages out of a set.
     *
     * @param from where to look
     * @return where to look next time, or -1 if there are no pages from {@code from} on, and none in this batch then
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

    /** Its pages have been dealt with. */
    void finish() {
        words = 0;
    }

    /** Gives back the pages that were not carried out. */
    void giveBack(PageBits pages) {
        for (int i = 0; i < words; i++) {
            pages.orWord(firstWord + i, bits[i]);
        }
        words = 0;
    }

    /** Gives runs of pages, in ascending order, none longer than 64 and none beyond a word. */
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
