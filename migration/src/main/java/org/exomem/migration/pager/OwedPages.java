package org.exomem.migration.pager;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicLong;
import org.exomem.pages.BitWords;
import org.exomem.pages.PageBits;

/**
 * The pages that have content at their source and have not arrived (PGR-OWED-1). Pages only leave the set, except a set that
 * grows until {@link #complete}. Safe for use by several threads; allocates and locks nothing.
 */
public final class OwedPages implements BitWords {
    private static final VarHandle WORDS = MethodHandles.arrayElementVarHandle(long[].class);

    private final long pages;
    private final long[] words;
    private final AtomicLong left;

    /** @param owed copied */
    public OwedPages(PageBits owed) {
        this(owed, 0);
    }

    private OwedPages(PageBits owed, int held) {
        this.pages = owed.pages();
        this.words = new long[owed.words()];
        for (int i = 0; i < words.length; i++) {
            words[i] = owed.word(i);
        }
        this.left = new AtomicLong(owed.count() + held);
    }

    /**
     * Returns a set to which pages are added until {@link #complete}. Until then {@link #left} is one more than the number
     * of pages, so that it is not 0 while more pages may come.
     *
     * @param owed copied
     */
    public static OwedPages growing(PageBits owed) {
        return new OwedPages(owed, 1);
    }

    /**
     * Adds pages to a growing set. For the one thread that also calls {@link #complete}.
     *
     * @param more pages that neither are nor were in the set
     */
    public void add(PageBits more) {
        left.addAndGet(more.count());
        for (int i = 0; i < words.length; i++) {
            long added = more.word(i);
            if (added != 0) {
                WORDS.getAndBitwiseOr(words, i, added);
            }
        }
    }

    /** Ends the growth of the set. */
    public void complete() {
        left.decrementAndGet();
    }

    /** The number of all pages, owed or not. */
    public long pages() {
        return pages;
    }

    /** The number of owed pages. */
    public long left() {
        return left.get();
    }

    /** True if the page, 0 to {@link #pages()} - 1, is owed. */
    public boolean contains(long page) {
        return (word(BitWords.index(page)) >>> page & 1) != 0;
    }

    /** Pages have arrived; some may have arrived before. */
    public void arrived(long first, long count) {
        long end = first + count;
        long gone = 0;
        for (long page = first; page < end; page = BitWords.nextWord(page)) {
            long mask = BitWords.mask(page, end);
            int index = (int) BitWords.index(page);
            if ((word(index) & mask) != 0) {
                long before = (long) WORDS.getAndBitwiseAnd(words, index, ~mask);
                gone += Long.bitCount(before & mask);
            }
        }
        if (gone > 0) {
            left.addAndGet(-gone);
        }
    }

    /** The first page at or after {@code from} that is owed, or {@link #pages()}. */
    public long next(long from) {
        return next(from, pages, true);
    }

    /** The number of consecutive owed pages from an owed page on, at most {@code most}. */
    public long run(long first, long most) {
        return next(first, Math.min(pages, first + most), false) - first;
    }

    /** A copy of the present set. */
    public PageBits copy() {
        PageBits copy = new PageBits(pages);
        for (int i = 0; i < words.length; i++) {
            copy.orWord(i, word(i));
        }
        return copy;
    }

    @Override
    public long word(long index) {
        return (long) WORDS.getVolatile(words, (int) index);
    }
}
