package org.exomem.embedded;

import java.util.BitSet;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Which pages of the guest nobody uses. Some of them may be lent out for free page hinting: the guest takes those
 * back, without telling anybody, when it has no others (VIRTIO, "Free Page Hinting"). For any number of threads.
 */
final class PageAllocator {
    /** No page. */
    static final int NONE = -1;

    private static final int RUN = 128;

    /** Pages that lie one after another. */
    record Run(int first, int count) {}

    private final BitSet free = new BitSet();
    private final BitSet hinted = new BitSet();
    /** Free pages whose content the host has already dropped. */
    private final BitSet reported = new BitSet();

    private final EmbeddedRam ram;
    private int freeCount;
    private int hintedCount;
    /** No free page lies below. */
    private int lowest;

    private long takenBack;
    private volatile BooleanSupplier rescue = () -> false;

    /** All pages are free, except the drivers'. */
    PageAllocator(EmbeddedRam ram) {
        this.ram = ram;
        give(new Run(EmbeddedRam.firstPage(), ram.pages() - EmbeddedRam.firstPage()));
    }

    /** The pages that are free, hinted ones too. */
    synchronized int available() {
        return freeCount + hintedCount;
    }

    /** How many pages were taken back while they were lent out for hinting. */
    synchronized long takenBack() {
        return takenBack;
    }

    /** The lowest free page or, if there is none, one that was hinted; {@link #NONE} if there is none of those either. */
    synchronized int take() {
        if (freeCount == 0) {
            return takeHinted();
        }
        int page = free.nextSetBit(lowest);
        takeOut(page, 1);
        return page;
    }

    /** The lowest free pages that lie together, at most {@code most}; null if there are none but hinted ones. */
    synchronized @Nullable Run takeRun(int most) {
        Run run = next(free, lowest, RUN);
        if (run == null) {
            return null;
        }
        Run taken = new Run(run.first, Math.min(run.count, most));
        takeOut(taken.first, taken.count);
        return taken;
    }

    /** Takes a certain page out of those that are free; false if it is not. */
    synchronized boolean take(int page) {
        if (!free.get(page)) {
            return false;
        }
        takeOut(page, 1);
        return true;
    }

    /** A page that was hinted, as a guest under pressure takes it; {@link #NONE} if there is none. */
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
     * Sets whom to ask when no pages are free.
     *
     * @param source returns whether there will be some soon; never waits
     */
    void setRescue(BooleanSupplier source) {
        rescue = source;
    }

    /** Asks for pages when none are free. Returns whether it is worth trying again soon. */
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

    /** The last free pages of memory, at most {@code most} that lie together; null if none are free. */
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

    /** Lends out the next free pages from {@code from} on, as hints; null if there are no more. */
    synchronized @Nullable Run lend(int from, int most) {
        Run run = next(free, from, most);
        if (run != null) {
            takeOut(run.first, run.count);
            hinted.set(run.first, run.first + run.count);
            hintedCount += run.count;
        }
        return run;
    }

    /** Which of some pages are free now; the first of them is bit 0. */
    synchronized BitSet free(int first, int count) {
        return free.get(first, first + count);
    }

    /** All that is still lent out is free again. */
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

    /** Gives a block back whose content the host has dropped. */
    synchronized void giveReported(Run run) {
        give(run);
        reported.set(run.first, run.first + run.count);
    }

    private @Nullable Run next(BitSet bits, int from, int most) {
        int first = bits.nextSetBit(from);
        if (first < 0) {
            return null;
        }
        // A run ends at the hole, where guest addresses jump, and at the next multiple of the most that fits in one
        // buffer.
        int end = Math.min(bits.nextClearBit(first), (first / most + 1) * most);
        int hole = ram.firstHighPage();
        return new Run(first, (first < hole ? Math.min(end, hole) : end) - first);
    }
}
