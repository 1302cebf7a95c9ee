package org.exomem.migration.pager;

import java.util.Optional;
import org.exomem.pages.PageBits;

/**
 * Which pages to bring before anybody waits for them: those of a working set first, then those next to what was touched last, then
 * the rest (PGR-ORDER-1). For one thread.
 */
public final class PrefetchOrder {
    /** A touch says most about the pages just behind it: what is brought at once begins small. */
    private static final long LEAST = 16;

    /** One step lasts some hundred microseconds, after which a newer touch is looked for. */
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

    /** @param workingSet pages that are brought first, whatever is touched */
    PrefetchOrder(OwedPages owed, Touches touches, Optional<PageBits> workingSet) {
        this(owed, touches, workingSet, MOST);
    }

    /**
     * @param workingSet pages that are brought first, whatever is touched
     * @param most pages that are chosen at once
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
     * @param others false if only pages of the working set are wanted
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
            // The pages of its block too that lie before it.
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

    /** How many pages; at least one. */
    public long count() {
        return count;
    }
}
