package org.exomem.pages;

import java.util.Arrays;

/**
 * A set of pages as a bitmap, one bit for each page of a guest's memory: 256 KiB for 8 GiB of {@link Pages}. Methods throw
 * IndexOutOfBoundsException for pages that do not exist. Not thread-safe, but two threads may use pages of different words
 * at the same time.
 */
public final class PageBits implements BitWords {
    private final long pages;
    private final long[] words;

    /**
     * An empty set of pages 0 to {@code pages - 1}.
     *
     * @param pages 0 to 2^37 - 64
     * @throws ArithmeticException if there are more
     */
    public PageBits(long pages) {
        this.pages = pages;
        this.words = new long[Math.toIntExact((pages + WORD - 1) / WORD)];
    }

    /** The number of all pages, in the set or not. */
    public long pages() {
        return pages;
    }

    /** The number of pages in the set; reads the whole bitmap. */
    public long count() {
        long count = 0;
        for (long word : words) {
            count += Long.bitCount(word);
        }
        return count;
    }

    /** True if no page is in the set; reads the bitmap up to the first page that is. */
    public boolean isEmpty() {
        for (long word : words) {
            if (word != 0) {
                return false;
            }
        }
        return true;
    }

    /** True if a page, 0 to {@link #pages()} - 1, is in the set. */
    public boolean contains(long page) {
        return ((words[index(page)] >>> page) & 1) != 0;
    }

    /** Adds a page, 0 to {@link #pages()} - 1. */
    public void add(long page) {
        words[index(page)] |= 1L << page;
    }

    /** Removes a page, 0 to {@link #pages()} - 1. */
    public void remove(long page) {
        words[index(page)] &= ~(1L << page);
    }

    /** Adds {@code count} pages from {@code first} on; none if {@code count} is 0. */
    public void add(long first, long count) {
        if (check(first, count)) {
            int from = index(first);
            int to = index(first + count - 1);
            if (from == to) {
                words[from] |= BitWords.mask(first, first + count);
                return;
            }
            words[from] |= -1L << first;
            Arrays.fill(words, from + 1, to, -1L);
            words[to] |= tail(first + count);
        }
    }

    /** Removes {@code count} pages from {@code first} on; none if {@code count} is 0. */
    public void remove(long first, long count) {
        if (check(first, count)) {
            int from = index(first);
            int to = index(first + count - 1);
            if (from == to) {
                words[from] &= ~BitWords.mask(first, first + count);
                return;
            }
            words[from] &= ~(-1L << first);
            Arrays.fill(words, from + 1, to, 0L);
            words[to] &= ~tail(first + count);
        }
    }

    /** Adds all pages. */
    public void addAll() {
        add(0, pages);
    }

    /** Removes all pages. */
    public void clear() {
        Arrays.fill(words, 0);
    }

    /**
     * Adds all pages of another set. Does not write words that do not change.
     *
     * @throws IllegalArgumentException if the other set has another number of pages
     */
    public void or(PageBits other) {
        same(other);
        long[] others = other.words;
        for (int i = 0; i < words.length; i++) {
            if (others[i] != 0) {
                words[i] |= others[i];
            }
        }
    }

    /**
     * Removes all pages of another set. Does not write words that do not change.
     *
     * @throws IllegalArgumentException if the other set has another number of pages
     */
    public void andNot(PageBits other) {
        same(other);
        long[] others = other.words;
        for (int i = 0; i < words.length; i++) {
            if (others[i] != 0) {
                words[i] &= ~others[i];
            }
        }
    }

    /**
     * Removes all pages that are not in another set.
     *
     * @throws IllegalArgumentException if the other set has another number of pages
     */
    public void and(PageBits other) {
        same(other);
        long[] others = other.words;
        for (int i = 0; i < words.length; i++) {
            words[i] &= others[i];
        }
    }

    /**
     * Copies another set.
     *
     * @throws IllegalArgumentException if the other set has another number of pages
     */
    public void copyOf(PageBits other) {
        same(other);
        System.arraycopy(other.words, 0, words, 0, words.length);
    }

    private void same(PageBits other) {
        if (other.pages != pages) {
            throw new IllegalArgumentException("sets of different sizes: " + pages + " and " + other.pages + " pages");
        }
    }

    /** The first page at or after {@code from}, which is not negative, that is in the set, or {@link #pages()}. */
    public long next(long from) {
        return next(from, pages, true);
    }

    /** The first page at or after {@code from}, which is not negative, that is not in the set, or {@link #pages()}. */
    public long nextAbsent(long from) {
        return next(from, pages, false);
    }

    /** Visits every run of consecutive pages in the set, in ascending order. */
    public <E extends Exception> void forEachRun(RunVisitor<E> visitor) throws E {
        forEachRun(0, pages, true, visitor);
    }

    /** The number of words of {@link #WORD} pages. */
    public int words() {
        return words.length;
    }

    /** The pages from {@code index} times {@link #WORD} on, the first in bit 0; of a word below {@link #words()}. */
    @Override
    public long word(long index) {
        return words[(int) index];
    }

    /** Removes all pages of a word below {@link #words()}, and returns those that were in the set. */
    public long takeWord(int index) {
        long taken = words[index];
        words[index] = 0;
        return taken;
    }

    /** Adds pages of a word below {@link #words()}, in the format of {@link #word}; ignores bits after the last page. */
    public void orWord(int index, long added) {
        words[index] |= index == words.length - 1 ? added & tail(pages) : added;
    }

    /** Adds pages from {@code first} on, the first in bit 0; none may be after the last page. */
    public void or(long first, long added) {
        if (added == 0) {
            return;
        }
        check(first, WORD - Long.numberOfLeadingZeros(added));
        int i = (int) (first / WORD);
        words[i] |= added << first;
        long rest = (first & (WORD - 1)) == 0 ? 0 : added >>> -first;
        if (rest != 0) {
            words[i + 1] |= rest;
        }
    }

    /**
     * Adds pages from {@code first} on: bit {@code b} of word {@code from + i} is page {@code first + 64 * i + b}.
     *
     * @param from the index of the first word of {@code added}
     * @param count the number of words; all their pages must exist
     */
    public void or(long first, long[] added, int from, int count) {
        check(first, (long) count * WORD);
        int to = (int) (first / WORD);
        if ((first & (WORD - 1)) == 0) {
            for (int i = 0; i < count; i++) {
                words[to + i] |= added[from + i];
            }
            return;
        }
        for (int i = 0; i < count; i++) {
            words[to + i] |= added[from + i] << first;
            words[to + i + 1] |= added[from + i] >>> -first;
        }
    }

    private int index(long page) {
        if (page < 0 || page >= pages) {
            throw new IndexOutOfBoundsException("page " + page + " of " + pages);
        }
        return (int) (page / WORD);
    }

    private boolean check(long first, long count) {
        if (first < 0 || count < 0 || first > pages - count) {
            throw new IndexOutOfBoundsException(count + " pages from page " + first + " on, of " + pages);
        }
        return count > 0;
    }

    /** The bits of the pages before {@code end} in the word of the last of them. */
    private static long tail(long end) {
        return -1L >>> -end;
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        forEachRun((first, count) -> text.append(text.isEmpty() ? "" : " ")
                .append(first)
                .append(count == 1 ? "" : "-" + (first + count - 1)));
        return text.toString();
    }
}
