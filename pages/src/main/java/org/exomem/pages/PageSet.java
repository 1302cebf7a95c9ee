package org.exomem.pages;

import java.util.Arrays;
import java.util.Map;
import java.util.function.IntFunction;
import org.jspecify.annotations.Nullable;

/**
 * A set of guest {@link Pages}, by page number (guest address divided by 4096), with an exact count. It takes 32 KiB for
 * each GiB of guest memory in which a page was ever added, and 8 bytes for each GiB below the highest. For one thread.
 * Adding allocates only at the first page of a GiB.
 *
 * <p>A set may be kept beyond the end of this process: then each change is also in a {@link BitStore} when it returns, one
 * store for each GiB. All reads use this process's own memory.
 */
public final class PageSet implements BitWords {
    private static final int CHUNK_PAGE_BITS = 18;
    /** The pages in a chunk, the unit of memory and of stores: 1 GiB of guest addresses. */
    public static final int CHUNK_PAGES = 1 << CHUNK_PAGE_BITS;

    /** The words of 64 pages in a chunk. */
    public static final int CHUNK_WORDS = CHUNK_PAGES / 64;

    private static final long[] NO_WORDS = {};

    /** One more than the highest page number: 2^48 bytes of guest addresses. */
    public static final long LIMIT = 1L << 36;

    /** The pages of a chunk, and their store, if there is one. */
    private record Chunk(long[] words, @Nullable BitStore kept) implements BitWords {
        @Override
        public long word(long index) {
            return words[(int) index];
        }

        void set(int word, long value) {
            words[word] = value;
            if (kept != null) {
                kept.setWord(word, value);
            }
        }
    }

    private final IntFunction<@Nullable BitStore> keeper;
    private @Nullable Chunk[] chunks = new Chunk[0];
    private long count;

    /** An empty set of this process only. */
    public PageSet() {
        this.keeper = index -> null;
    }

    /**
     * A set that is kept.
     *
     * @param before the stores of the set, by chunk number: stores of {@link #CHUNK_PAGES} bits
     * @param keeper returns an empty store for a new chunk; null if there is no space, and then the chunk is not kept
     */
    public PageSet(Map<Integer, BitStore> before, IntFunction<@Nullable BitStore> keeper) {
        this.keeper = keeper;
        before.forEach((index, store) -> {
            long[] words = new long[CHUNK_WORDS];
            for (int i = 0; i < CHUNK_WORDS; i++) {
                words[i] = store.word(i);
                count += Long.bitCount(words[i]);
            }
            reach(index);
            chunks[index] = new Chunk(words, store);
        });
    }

    /** The number of pages in the set. */
    public long count() {
        return count;
    }

    /** True if a page is in the set; false for an invalid page number. */
    public boolean contains(long page) {
        Chunk chunk = chunk(page);
        return chunk != null && (chunk.words[at(page)] & bit(page)) != 0;
    }

    /**
     * Adds a page. Returns true if it was not there.
     *
     * @param page 0 to {@link #LIMIT} - 1
     * @throws IndexOutOfBoundsException if no page has that number
     */
    public boolean add(long page) {
        Chunk chunk = chunkToWrite(page);
        long before = chunk.words[at(page)];
        long after = before | bit(page);
        if (before == after) {
            return false;
        }
        chunk.set(at(page), after);
        count++;
        return true;
    }

    /** Removes a page. Returns true if it was in the set; false for an invalid page number. */
    public boolean remove(long page) {
        Chunk chunk = chunk(page);
        if (chunk == null || (chunk.words[at(page)] & bit(page)) == 0) {
            return false;
        }
        chunk.set(at(page), chunk.words[at(page)] & ~bit(page));
        count--;
        return true;
    }

    /** True if all of {@code length} pages from {@code first} on are in the set. */
    public boolean containsAll(long first, long length) {
        long end = first + length;
        for (long page = first; page < end; page = BitWords.nextWord(page)) {
            long mask = BitWords.mask(page, end);
            Chunk chunk = chunk(page);
            if (chunk == null || (chunk.words[at(page)] & mask) != mask) {
                return false;
            }
        }
        return true;
    }

    /**
     * Adds {@code length} pages from {@code first} on; returns how many were new.
     *
     * @throws IndexOutOfBoundsException if one is not in 0 to {@link #LIMIT} - 1; those before it were added then
     */
    public long addAll(long first, long length) {
        long before = count;
        long end = first + length;
        for (long page = first; page < end; page = BitWords.nextWord(page)) {
            Chunk chunk = chunkToWrite(page);
            int at = at(page);
            long word = chunk.words[at];
            long mask = BitWords.mask(page, end);
            count += Long.bitCount(mask & ~word);
            chunk.set(at, word | mask);
        }
        return count - before;
    }

    /** Removes {@code length} pages from {@code first} on; returns how many were in the set. */
    public long removeAll(long first, long length) {
        long before = count;
        long end = first + length;
        for (long page = first; page < end; page = BitWords.nextWord(page)) {
            Chunk chunk = chunk(page);
            if (chunk != null) {
                long mask = BitWords.mask(page, end);
                long word = chunk.words[at(page)];
                count -= Long.bitCount(mask & word);
                chunk.set(at(page), word & ~mask);
            }
        }
        return before - count;
    }

    /** Removes all pages. If the process ends meanwhile, a stored set may still have some of them. */
    public void clear() {
        for (int chunk = 0; chunk < chunks.length; chunk++) {
            clear(chunk);
        }
    }

    /**
     * Removes all pages of a chunk, a part of {@link #clear()} that takes at most about 10 us.
     *
     * @param chunk 0 to {@link #chunks} - 1
     */
    public void clear(int chunk) {
        Chunk found = chunks[chunk];
        if (found == null) {
            return;
        }
        for (int w = 0; w < CHUNK_WORDS; w++) {
            long word = found.words[w];
            if (word != 0) {
                count -= Long.bitCount(word);
                if (found.kept != null) {
                    found.set(w, 0);
                }
            }
        }
        if (found.kept == null) {
            chunks[chunk] = null;
        }
    }

    /** The number of chunks that can have pages; it never decreases. */
    public int chunks() {
        return chunks.length;
    }

    /** True if no page of a chunk, from 0 on, is in the set. */
    public boolean isEmpty(int chunk) {
        Chunk found = chunk < chunks.length ? chunks[chunk] : null;
        if (found != null) {
            for (long word : found.words) {
                if (word != 0) {
                    return false;
                }
            }
        }
        return true;
    }

    /**
     * 64 pages of a chunk, the lowest in bit 0.
     *
     * @param chunk its number, from 0 on
     * @param word its index in the chunk, below {@link #CHUNK_PAGES} / 64
     */
    public long word(int chunk, int word) {
        Chunk found = chunk < chunks.length ? chunks[chunk] : null;
        return found == null ? 0 : found.words[word];
    }

    /**
     * Copies the pages of a chunk, in about 5 us.
     *
     * @param chunk its number, from 0 on
     * @return {@link #CHUNK_WORDS} words, or none if no page of it was ever added
     */
    public long[] copy(int chunk) {
        Chunk found = chunk < chunks.length ? chunks[chunk] : null;
        return found == null ? NO_WORDS : found.words.clone();
    }

    @Override
    public long word(long index) {
        Chunk found = chunk(index * WORD);
        return found == null ? 0 : found.words[at(index * WORD)];
    }

    /**
     * Sets 64 pages of a chunk, in the format of {@link #word(int, int)}.
     *
     * @param chunk its number, from 0 on, below {@link #LIMIT} / {@link #CHUNK_PAGES}
     * @param word its index in the chunk, below {@link #CHUNK_PAGES} / 64
     * @throws IndexOutOfBoundsException if there is no such chunk or word
     */
    public void setWord(int chunk, int word, long pages) {
        Chunk found = chunkToWrite((long) chunk << CHUNK_PAGE_BITS);
        count += Long.bitCount(pages) - Long.bitCount(found.words[word]);
        found.set(word, pages);
    }

    /** Skips chunks in which no page was ever added. */
    @Override
    public long next(long from, long end, boolean set) {
        for (long at = from; at < end; at = (at | (CHUNK_PAGES - 1)) + 1) {
            Chunk chunk = chunk(at);
            if (chunk != null) {
                long base = at & -CHUNK_PAGES;
                long found = chunk.next(at - base, CHUNK_PAGES, set);
                if (found < CHUNK_PAGES) {
                    return Math.min(end, base + found);
                }
            } else if (!set) {
                return at;
            }
        }
        return end;
    }

    /** One more than the highest page that can be in the set: the end of its last chunk. */
    public long end() {
        return (long) chunks.length << CHUNK_PAGE_BITS;
    }

    /** Visits every run of consecutive pages, in ascending order, with its first page and length in pages. */
    public <E extends Exception> void forEachRun(RunVisitor<E> visitor) throws E {
        forEachRun(0, end(), true, visitor);
    }

    private @Nullable Chunk chunk(long page) {
        long index = page >>> CHUNK_PAGE_BITS;
        return index < chunks.length ? chunks[(int) index] : null;
    }

    private Chunk chunkToWrite(long page) {
        if (page < 0 || page >= LIMIT) {
            throw new IndexOutOfBoundsException("page " + page + " is not in 0 to " + (LIMIT - 1));
        }
        int index = (int) (page >>> CHUNK_PAGE_BITS);
        Chunk chunk = index < chunks.length ? chunks[index] : null;
        return chunk != null ? chunk : newChunk(index);
    }

    private Chunk newChunk(int index) {
        reach(index);
        Chunk chunk = new Chunk(new long[CHUNK_WORDS], keeper.apply(index));
        chunks[index] = chunk;
        return chunk;
    }

    private void reach(int index) {
        if (index >= chunks.length) {
            chunks = Arrays.copyOf(chunks, index + 1);
        }
    }

    /** The index of a page's word in its chunk. */
    private static int at(long page) {
        return (int) (page & (CHUNK_PAGES - 1)) >>> 6;
    }

    private static long bit(long page) {
        return 1L << (page & 63);
    }
}
