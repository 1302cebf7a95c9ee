package org.exomem.vhostuser.memory;

import java.util.Arrays;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * A set of guest pages of 4096 bytes, by page number (guest address divided by 4096), with its count kept exact. Costs
 * 32 KiB for each GiB of guest memory in which a page was ever added, and 8 bytes for each GiB below the highest. Not
 * thread-safe. Adding allocates only on the first touch of a GiB.
 */
public final class PageSet {
    private static final int CHUNK_PAGE_BITS = 18;
    private static final int CHUNK_PAGES = 1 << CHUNK_PAGE_BITS;
    private static final int CHUNK_WORDS = CHUNK_PAGES / 64;
    /** One more than the highest page number: 2^48 bytes of guest addresses. */
    public static final long LIMIT = 1L << 36;

    private long[] @Nullable [] chunks = new long[0][];
    private long count;

    /** The number of pages in the set. */
    public long count() {
        return count;
    }

    public boolean contains(long page) {
        long[] chunk = chunk(page);
        return chunk != null && (chunk[word(page)] & bit(page)) != 0;
    }

    /** Adds a page, 0 to {@link #LIMIT} - 1. Returns true if it was not there. */
    public boolean add(long page) {
        long[] chunk = chunkToWrite(page);
        long before = chunk[word(page)];
        long after = before | bit(page);
        chunk[word(page)] = after;
        boolean added = before != after;
        count += added ? 1 : 0;
        return added;
    }

    /** Takes a page out. Returns true if it was there. */
    public boolean remove(long page) {
        long[] chunk = chunk(page);
        if (chunk == null || (chunk[word(page)] & bit(page)) == 0) {
            return false;
        }
        chunk[word(page)] &= ~bit(page);
        count--;
        return true;
    }

    /** True if all of {@code length} pages from {@code first} on are in the set. */
    public boolean containsAll(long first, long length) {
        long page = first;
        long end = first + length;
        while (page < end) {
            long inWord = Math.min(end - page, 64 - (page & 63));
            long mask = mask(page, inWord);
            long[] chunk = chunk(page);
            if (chunk == null || (chunk[word(page)] & mask) != mask) {
                return false;
            }
            page += inWord;
        }
        return true;
    }

    /** Adds {@code length} pages from {@code first} on; returns how many were not there. */
    public long addAll(long first, long length) {
        long added = 0;
        long page = first;
        long end = first + length;
        while (page < end) {
            long inWord = Math.min(end - page, 64 - (page & 63));
            long[] chunk = chunkToWrite(page);
            int at = word(page);
            long before = chunk[at];
            long after = before | mask(page, inWord);
            chunk[at] = after;
            added += Long.bitCount(before ^ after);
            page += inWord;
        }
        count += added;
        return added;
    }

    /** Takes {@code length} pages from {@code first} on out; returns how many were there. */
    public long removeAll(long first, long length) {
        long before = count;
        long page = first;
        long end = first + length;
        while (page < end) {
            long inWord = Math.min(end - page, 64 - (page & 63));
            long[] chunk = chunk(page);
            if (chunk != null) {
                long mask = mask(page, inWord);
                count -= Long.bitCount(mask & chunk[word(page)]);
                chunk[word(page)] &= ~mask;
            }
            page += inWord;
        }
        return before - count;
    }

    public void clear() {
        chunks = new long[0][];
        count = 0;
    }

    /** Gives every run of neighbouring pages, in ascending order, as first page and length in pages. */
    public void forEachRun(BiConsumer<Long, Long> run) {
        long first = -1;
        for (int c = 0; c < chunks.length; c++) {
            long[] chunk = chunks[c];
            long base = (long) c << CHUNK_PAGE_BITS;
            for (int w = 0; w < CHUNK_WORDS; w++) {
                long bits = chunk == null ? 0 : chunk[w];
                if (bits == (first >= 0 ? -1L : 0)) {
                    continue;
                }
                for (int b = 0; b < 64; b++) {
                    boolean present = (bits >>> b & 1) != 0;
                    long page = base + w * 64L + b;
                    if (present && first < 0) {
                        first = page;
                    } else if (!present && first >= 0) {
                        run.accept(first, page - first);
                        first = -1;
                    }
                }
            }
        }
        if (first >= 0) {
            run.accept(first, ((long) chunks.length << CHUNK_PAGE_BITS) - first);
        }
    }

    private long @Nullable [] chunk(long page) {
        long index = page >>> CHUNK_PAGE_BITS;
        return index < chunks.length ? chunks[(int) index] : null;
    }

    private long[] chunkToWrite(long page) {
        if (page < 0 || page >= LIMIT) {
            throw new IndexOutOfBoundsException("page " + page + " is not in 0 to " + (LIMIT - 1));
        }
        int index = (int) (page >>> CHUNK_PAGE_BITS);
        if (index >= chunks.length) {
            chunks = Arrays.copyOf(chunks, index + 1);
        }
        long[] chunk = chunks[index];
        if (chunk == null) {
            chunk = new long[CHUNK_WORDS];
            chunks[index] = chunk;
        }
        return chunk;
    }

    private static int word(long page) {
        return (int) (page & CHUNK_PAGES - 1) >>> 6;
    }

    private static long bit(long page) {
        return 1L << (page & 63);
    }

    private static long mask(long page, long length) {
        return length == 64 ? -1L : (1L << length) - 1 << (page & 63);
    }
}
