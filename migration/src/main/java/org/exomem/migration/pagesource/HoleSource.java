package org.exomem.migration.pagesource;

import java.io.IOException;
import org.exomem.migration.Fate;
import org.exomem.migration.GuestPages;
import org.exomem.pages.PageBits;

/**
 * Pages for which the memory file has no data: never touched, or given back to the host. They are zeros (MIG-HOLE-1). For
 * the engine's thread.
 */
public final class HoleSource implements FreePageSource {
    /**
     * If fewer than this part of all pages is in question, each of them is examined with a system call. To find a hole after
     * dense memory, the host examines all of that memory.
     */
    private static final int SPARSE = 64;

    private final GuestPages memory;
    private boolean due;

    /** @param memory in which holes are looked for; remains the caller's */
    public HoleSource(GuestPages memory) {
        this.memory = memory;
    }

    @Override
    public Fate fate() {
        return Fate.HOLE;
    }

    @Override
    public void synced() {
        due = true;
    }

    /**
     * MIG-HOLE-2: examines once after each sync, because a page that is a hole after a sync remains one until it is written,
     * which the next sync reports.
     */
    @Override
    public boolean collect(PageBits free, PageBits wanted) throws IOException {
        if (!due) {
            return false;
        }
        due = false;
        if (wanted.count() < memory.pages() / SPARSE) {
            addEach(free, wanted);
        } else {
            addAll(free);
        }
        return true;
    }

    private void addEach(PageBits free, PageBits wanted) throws IOException {
        long pages = memory.pages();
        for (long page = wanted.next(0); page < pages; ) {
            long data = memory.nextData(page);
            if (data > page) {
                free.add(page, data - page);
            }
            page = wanted.next(Math.max(page + 1, data));
        }
    }

    private void addAll(PageBits free) throws IOException {
        long pages = memory.pages();
        for (long hole = memory.nextHole(0); hole < pages; ) {
            long data = memory.nextData(hole);
            free.add(hole, data - hole);
            hole = data < pages ? memory.nextHole(data) : pages;
        }
    }
}
