package org.exomem.embedded;

import java.util.BitSet;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The unused pages of the guest. Some of them may be lent for free page hinting. The guest takes these back, without a
 * message, when it has no others (VIRTIO, "Free Page Hinting"). Safe for use by several threads.
 */
final class PageAllocator {
    /** No page. */
    static final int NONE = -1;

    private static final int RUN = 128;

    /** Consecutive pages. */
    record Run(int first, int count) {}

    private final BitSet free = new BitSet();
    private final BitSet hinted = new BitSet();
    /** Free pages whose content the host has already discarded. */
    private final BitSet reported = new BitSet();

    private final EmbeddedRam ram;
    private int freeCount;
    private int hintedCount;
    /** All pages below are in use. */
    private int lowest;

    private long takenBack;
    private volatile BooleanSupplier rescue = () -> false;

    /** All pages are free, except the drivers'. */
    PageAllocator(EmbeddedRam ram) {
        this.ram = ram;
        give(new Run(EmbeddedRam.firstPage(), ram.pages() - EmbeddedRam.firstPage()));
    }

    /** The number of free pages, including hinted ones. */
    synchronized int available() {
        return freeCount + hintedCount;
    }

    /** The number of pages that were taken back while they were lent for hinting. */
    synchronized long takenBack() {
        return takenBack;
    }

    /** Takes the lowest free page, or else a hinted one; {@link #NONE} if there is neither. */
    synchronized int take() {
        if (freeCount == 0) {
            return takeHinted();
        }
        int page = free.nextSetBit(lowest);
        takeOut(page, 1);
        return page;
    }

    /** Takes the lowest consecutive free pages, at most {@code most}; null if there are none, or only hinted ones. */
    synchronized @Nullable Run takeRun(int most) {
        Run run = next(free, lowest, RUN);
        if (run == null) {
            return null;
        }
        Run taken = new Run(run.first, Math.min(run.count, most));
        takeOut(taken.first, taken.count);
        return taken;
    }

    /** Takes a certain page if it is free; otherwise returns false. */
    synchronized boolean take(int page) {
        if (!free.get(page)) {
            return false;
        }
        takeOut(page, 1);
        return true;
    }

    /** Takes a hinted page, as a guest under memory pressure does; {@link #NONE} if there is none. */
    synchronized int takeHinted() {
        if (hintedCount == 0) {
            return NONE;
        }
        int page = hinted.nextSetBit(0);
        hinted.clear(page);
        hintedCount--;
        takenBack++;
        return page;
    }

    /**
     * Sets the source of pages for when none are free.
     *
     * @param source returns whether there will be some soon; never waits
     */
    void setRescue(BooleanSupplier source) {
        rescue = source;
    }

    /** Asks the source for pages when none are free. Returns whether to try again soon. */
    boolean findsMore() {
        return rescue.getAsBoolean();
    }

    synchronized void give(int page) {
        give(new Run(page, 1));
    }

    synchronized void give(Run run) {
        free.set(run.first, run.first + run.count);
        freeCount += run.count;
        lowest = Math.min(lowest, run.first);
    }

    private void takeOut(int first, int count) {
        free.clear(first, first + count);
        reported.clear(first, first + count);
        freeCount -= count;
        if (first <= lowest) {
            lowest = first + count;
        }
    }

    /** Takes the last consecutive free pages of memory, at most {@code most}; null if none are free. */
    synchronized @Nullable Run takeFromTop(int most) {
        int last = free.previousSetBit(ram.pages() - 1);
        if (last < 0) {
            return null;
        }
        int first = last;
        while (last - first + 1 < most && first > 0 && free.get(first - 1) && first != ram.firstHighPage()) {
            first--;
        }
        takeOut(first, last - first + 1);
        return new Run(first, last - first + 1);
    }

    /** Lends the next free pages from {@code from} on, as hints; null if there are no more. */
    synchronized @Nullable Run lend(int from, int most) {
        Run run = next(free, from, most);
        if (run != null) {
            takeOut(run.first, run.count);
            hinted.set(run.first, run.first + run.count);
            hintedCount += run.count;
        }
        return run;
    }

    /** Which pages of a range are free now; bit 0 is the first page. */
    synchronized BitSet free(int first, int count) {
        return free.get(first, first + count);
    }

    /** Makes all lent pages free again. */
    synchronized void endLending() {
        free.or(hinted);
        freeCount += hintedCount;
        int first = hinted.nextSetBit(0);
        if (first >= 0) {
            lowest = Math.min(lowest, first);
        }
        hinted.clear();
        hintedCount = 0;
    }

    /**
     * Takes the next whole free block from {@code from} on that has a page which was not reported; null if there are no
     * more.
     *
     * @param block its pages, a power of two
     */
    synchronized @Nullable Run takeUnreported(int from, int block) {
        for (int first = from + block - 1 & -block; first + block <= ram.pages(); first += block) {
            boolean acrossTheHole = first < ram.firstHighPage() && first + block > ram.firstHighPage();
            if (!acrossTheHole
                    && free.nextClearBit(first) >= first + block
                    && reported.nextClearBit(first) < first + block) {
                takeOut(first, block);
                return new Run(first, block);
            }
        }
        return null;
    }

    /** Returns a block whose content the host has discarded. */
    synchronized void giveReported(Run run) {
        give(run);
        reported.set(run.first, run.first + run.count);
    }

    private @Nullable Run next(BitSet bits, int from, int most) {
        int first = bits.nextSetBit(from);
        if (first < 0) {
            return null;
        }
        // A run ends at the hole, where guest addresses jump, and at the next multiple of the largest number that fits
        // into one buffer.
        int end = Math.min(bits.nextClearBit(first), (first / most + 1) * most);
        int hole = ram.firstHighPage();
        return new Run(first, (first < hole ? Math.min(end, hole) : end) - first);
    }
}
