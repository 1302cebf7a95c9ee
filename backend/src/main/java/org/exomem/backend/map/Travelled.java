package org.exomem.backend.map;

import org.exomem.backend.migrate.Travelling;
import org.exomem.migration.image.AddressMap;
import org.exomem.pages.BitWords;
import org.exomem.pages.PageBits;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;

/**
 * The pages of a GiB of guest addresses that were sent, and that were written recently: a bit for each, in {@link
 * PageSet#CHUNK_WORDS} words of 64, or no words if no migration is under way.
 */
record Travelled(long[] travelled, long[] written) {
    static final Travelled NONE = new Travelled(Residence.NO_WORDS, Residence.NO_WORDS);

    /** Reads them from a migration, whose engine goes on meanwhile. */
    static Travelled of(Travelling travelling, int gib) {
        long[] travelled = new long[PageSet.CHUNK_WORDS];
        long[] written = new long[PageSet.CHUNK_WORDS];
        long base = (long) gib * PageSet.CHUNK_PAGES;
        for (AddressMap.Range range : travelling.addresses().ranges()) {
            long start = Pages.floor(range.guestAddress()) - base;
            long from = Math.max(0, start);
            long end = Math.min(PageSet.CHUNK_PAGES, start + Pages.floor(range.length()));
            if (from < end) {
                long first = range.firstPage() + from - start;
                copy(travelling.pages().travelled(), first, from, end, travelled);
                copy(travelling.pages().written(), first, from, end, written);
            }
        }
        return new Travelled(travelled, written);
    }

    private static void copy(PageBits of, long first, long from, long end, long[] to) {
        of.forEachRun(first, Math.min(of.pages(), first + end - from), true, (page, count) -> {
            long at = page - first + from;
            long behind = at + count;
            for (; at < behind; at = BitWords.nextWord(at)) {
                to[(int) BitWords.index(at)] |= BitWords.mask(at, behind);
            }
        });
    }
}
