package org.exomem.backend.map;

import java.util.EnumMap;
import java.util.Map;
import org.exomem.backend.vm.PageUse;
import org.exomem.balloon.ToldPageKind;
import org.exomem.pages.BitWords;
import org.exomem.pages.PageSet;

/** Counts pages by kind into the cells of a range. For one thread. */
final class CellCounts {
    private static final int WORDS = PageSet.CHUNK_WORDS;

    private final MapRange range;
    private final long[][] counts;

    CellCounts(MapRange range) {
        this.range = range;
        this.counts = new long[PageKind.ALL.size()][range.cells()];
    }

    /** Counts a run of pages, as far as it is in the range. */
    void add(PageKind kind, long first, long length) {
        long[] of = counts[kind.ordinal()];
        long end = Math.min(range.end(), first + length);
        for (long page = Math.max(first, range.first()); page < end; ) {
            int cell = range.cell(page);
            long next = Math.min(end, range.endOf(cell));
            of[cell] += next - page;
            page = next;
        }
    }

    /**
     * Counts the pages of a GiB.
     *
     * @param memory the pages that the guest has
     * @param resident the pages that have host memory; without words if that is unknown
     * @param travelling the pages that were sent and that were written recently; without words if there are none
     */
    void add(PageUse use, long[] memory, Residence resident, Travelled travelling) {
        long base = (long) use.gib() * PageSet.CHUNK_PAGES;
        long from = Math.max(base, range.first());
        long end = Math.min(base + PageSet.CHUNK_PAGES, range.end());
        while (from < end) {
            int cell = range.cell(from);
            long behind = Math.min(end, range.endOf(cell));
            addToCell(cell, from - base, behind - base, use, memory, resident, travelling);
            from = behind;
        }
    }

    private void addToCell(
            int cell, long from, long end, PageUse use, long[] memory, Residence resident, Travelled travelling) {
        long[] unplugged = use.unplugged();
        long[] balloon = told(use, ToldPageKind.BALLOONED);
        long[] hinted = told(use, ToldPageKind.HINTED);
        long[] free = told(use, ToldPageKind.FREE);
        long[] reported = told(use, ToldPageKind.REPORTED);
        for (long page = from; page < end; page = BitWords.nextWord(page)) {
            int word = (int) BitWords.index(page);
            long mask = BitWords.mask(page, end);
            long left = word(memory, word) & mask;
            count(PageKind.NONE, cell, mask & ~left);
            if (left == 0) {
                continue;
            }
            count(PageKind.TRAVELLED, cell, left & word(travelling.travelled(), word));
            count(PageKind.WRITTEN, cell, left & word(travelling.written(), word));
            left = take(PageKind.UNPLUGGED, cell, left, word(unplugged, word));
            left = take(PageKind.BALLOON, cell, left, word(balloon, word));
            long holes = resident.isKnown() ? left & ~resident.word(word) : 0;
            long given = holes & word(reported, word);
            left = take(PageKind.REPORTED, cell, left, given);
            left = take(PageKind.HOLE, cell, left, holes & ~given);
            left = take(PageKind.HINTED, cell, left, word(hinted, word));
            left = take(PageKind.FREE, cell, left, word(free, word));
            count(resident.isKnown() ? PageKind.USED : PageKind.UNSEEN, cell, left);
        }
    }

    private static long[] told(PageUse use, ToldPageKind kind) {
        return use.told().getOrDefault(kind, Residence.NO_WORDS);
    }

    private static long word(long[] words, int index) {
        return words.length == WORDS ? words[index] : 0;
    }

    private long take(PageKind kind, int cell, long left, long pages) {
        long taken = left & pages;
        count(kind, cell, taken);
        return left & ~taken;
    }

    private void count(PageKind kind, int cell, long pages) {
        if (pages != 0) {
            counts[kind.ordinal()][cell] += Long.bitCount(pages);
        }
    }

    Map<PageKind, long[]> counts() {
        Map<PageKind, long[]> all = new EnumMap<>(PageKind.class);
        PageKind.ALL.forEach(kind -> all.put(kind, counts[kind.ordinal()]));
        return all;
    }
}
