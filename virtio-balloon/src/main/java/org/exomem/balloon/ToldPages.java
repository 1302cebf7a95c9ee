package org.exomem.balloon;

import java.util.List;
import org.exomem.pages.BitWords;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;

/**
 * The pages that a driver said to be free in its answer to one request: a set of those that the front-end shares, of 32 KiB
 * for each GiB (FPB-LIM-1). Sends them to the page feed.
 */
final class ToldPages {
    /** The most pages sent in one message: 4 GiB. */
    private static final long AT_ONCE = 1L << 20;

    private final PageFeed feed;
    private final LeftAlone leftAlone;
    private final StepBudget budget;
    private final BlockSizes blocks = new BlockSizes();
    private PageSet pages = new PageSet();
    private int session;
    private boolean silent;

    /** The last run: the part that was not sent yet. */
    private long nextPage;

    private long leftPages;
    /** Pages in groups of 64 neighbours that were not sent to the feed yet. */
    private long wordFirst;

    private long wordMask;

    ToldPages(PageFeed feed, LeftAlone leftAlone, StepBudget budget) {
        this.feed = feed;
        this.leftAlone = leftAlone;
        this.budget = budget;
    }

    /**
     * Empties the set and begins a session.
     *
     * @param quietly nothing is sent to the feed (FPB-BIT-6)
     */
    void begin(int id, boolean quietly) {
        pages = new PageSet();
        blocks.clear();
        session = id;
        silent = quietly;
        if (!silent) {
            feed.offer(PageFeed.Kind.HINTING_STARTED, session, 0, 0);
        }
    }

    /** The session ends. */
    void end() {
        flush();
        leftPages = 0;
        if (!silent) {
            feed.offer(PageFeed.Kind.HINTING_ENDED, session, 0, 0);
        }
    }

    /** The bytes of all pages, each counted once. */
    long bytes() {
        return Pages.bytes(pages.count());
    }

    /** The pages of a GiB, as {@link PageSet#copy} gives them. */
    long[] copy(int gib) {
        return pages.copy(gib);
    }

    /** Counts the blocks of one more GiB; false if all are counted. */
    boolean countBlocks() {
        return blocks.countNext(pages);
    }

    /** See {@link BlockSizes#bytes}. */
    List<Long> blockBytes() {
        return blocks.bytes();
    }

    /** Takes a run of pages, which {@link #tellSome} sends. */
    void take(long first, long count) {
        nextPage = first;
        leftPages = count;
    }

    /** Takes some of 64 pages: all together if the front-end shares all 64, otherwise one by one. */
    void takeMask(long first, long mask, GuestMemory memory) {
        budget.spend(StepBudget.RUN);
        MemoryRegion region = first < PageSet.LIMIT - BitWords.WORD ? memory.find(Pages.bytes(first)) : null;
        if (region != null && Pages.bytes(first + BitWords.WORD) - region.guestAddress() <= region.size()) {
            int chunk = (int) (first / PageSet.CHUNK_PAGES);
            int word = (int) (first % PageSet.CHUNK_PAGES / BitWords.WORD);
            pages.setWord(chunk, word, pages.word(chunk, word) | mask);
            if (!silent) {
                flush();
                wordFirst = first;
                wordMask = mask;
            }
            return;
        }
        long left = mask;
        while (left != 0) {
            // One by one: this is at the edge of memory.
            take(first + Long.numberOfTrailingZeros(left), 1);
            tellSome(memory);
            left &= left - 1;
        }
    }

    /** Forgets the rest of the run. */
    void drop() {
        leftPages = 0;
    }

    /** True if a part of the last run was not sent. */
    boolean isTelling() {
        return leftPages > 0;
    }

    /** Sends a part of the last run. */
    void tellSome(GuestMemory memory) {
        budget.spend(StepBudget.RUN);
        MemoryRegion region = memory.findFrom(Pages.bytes(nextPage));
        if (region == null || nextPage >= PageSet.LIMIT) {
            leaveAlone(leftPages);
            return;
        }
        long first = Pages.ceil(region.guestAddress());
        long end = Math.min(PageSet.LIMIT, Pages.floor(region.guestAddress() + region.size()));
        if (nextPage < first) {
            leaveAlone(Math.min(leftPages, first - nextPage));
            return;
        }
        long count = Math.min(Math.min(leftPages, AT_ONCE), end - nextPage);
        if (count <= 0) {
            leaveAlone(1);
            return;
        }
        pages.addAll(nextPage, count);
        budget.spend((long) StepBudget.WORD * (count / Long.SIZE));
        if (!silent) {
            tell(nextPage, nextPage + count);
        }
        nextPage += count;
        leftPages -= count;
    }

    /** FPB-LIM-1 */
    private void leaveAlone(long count) {
        leftAlone.pages(count);
        nextPage += count;
        leftPages -= count;
    }

    private void tell(long first, long end) {
        long page = first;
        while (page < end) {
            long whole = (end - page) & -BitWords.WORD;
            if (page % BitWords.WORD == 0 && whole > 0) {
                flush();
                feed.offer(PageFeed.Kind.HINTED, session, Pages.bytes(page), Pages.bytes(whole));
                page += whole;
            } else {
                long word = page & -BitWords.WORD;
                if (word != wordFirst) {
                    flush();
                    wordFirst = word;
                }
                wordMask |= BitWords.mask(page, end);
                page = Math.min(end, BitWords.nextWord(page));
            }
        }
    }

    /** Sends the pages that wait for neighbours. */
    void flush() {
        if (wordMask != 0) {
            feed.offerHinted(session, wordFirst, wordMask);
            wordMask = 0;
        }
    }
}
