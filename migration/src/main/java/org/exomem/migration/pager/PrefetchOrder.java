package org.exomem.migration.pager;

import java.util.Optional;
import org.exomem.pages.PageBits;

/**
 * The order in which the background brings pages: first a working set, then the pages near the last touch, then all others
 * (PGR-ORDER-1). For one thread.
 */
public final class PrefetchOrder {
    /** The first step after a touch is small, because a touch says most about the pages just after it. */
    private static final long LEAST = 16;

    /** A step lasts some hundred microseconds. After it a newer touch is looked for. */
    private static final long MOST = 256;

    private final OwedPages owed;
    private final Touches touches;
    private Optional<PageBits> workingSet;
    private long setAt;
    private long cursor;
    private final long most;
    private long step;
    private long first;
    private long count;

    /** @param workingSet pages that come first, whatever is touched */
    PrefetchOrder(OwedPages owed, Touches touches, Optional<PageBits> workingSet) {
        this(owed, touches, workingSet, MOST);
    }

    /**
     * @param workingSet pages that come first, whatever is touched
     * @param most the most pages of one choice
     */
    public PrefetchOrder(OwedPages owed, Touches touches, Optional<PageBits> workingSet, long most) {
        this.owed = owed;
        this.most = most;
        this.step = most;
        this.touches = touches;
        this.workingSet = workingSet;
    }

    /**
     * Chooses {@link #count} pages from {@link #first} on.
     *
     * @param others false to choose only pages of the working set
     * @return false if none of them is owed
     */
    public boolean next(boolean others) {
        if (nextOfSet()) {
            return true;
        }
        return others && nextOfOthers();
    }

    /** True while there is a working set of which pages may be owed. */
    boolean hasSet() {
        return workingSet.isPresent();
    }

    private boolean nextOfOthers() {
        long touched = touches.newest();
        if (touched >= 0) {
            // Begins with the start of its block.
            cursor = touched & -LEAST;
            step = Math.min(most, LEAST);
        }
        first = owed.next(cursor);
        if (first == owed.pages()) {
            first = owed.next(0);
            if (first == owed.pages()) {
                return false;
            }
        }
        count = owed.run(first, step);
        cursor = first + count;
        step = Math.min(most, 2 * step);
        return true;
    }

    private boolean nextOfSet() {
        if (workingSet.isEmpty()) {
            return false;
        }
        PageBits set = workingSet.get();
        for (long page = set.next(setAt); page < set.pages(); page = set.next(page + 1)) {
            if (owed.contains(page)) {
                first = page;
                count = Math.min(owed.run(page, most), set.nextAbsent(page) - page);
                setAt = first + count;
                return true;
            }
        }
        workingSet = Optional.empty();
        return false;
    }

    /** The first page of the last choice. */
    public long first() {
        return first;
    }

    /** The number of pages of the last choice, at least one. */
    public long count() {
        return count;
    }
}
