package org.exomem.migration.pagesource;

import java.io.IOException;
import org.exomem.migration.Fate;
import org.exomem.migration.GuestPages;
import org.exomem.pages.PageBits;

/** Pages for which the memory file has no data: never touched, or given back to the host. They read as zeros (MIG-HOLE-1). */
public final class HoleSource implements FreePageSource {
    /**
     * A system call for each page in question, where there are so many times as many pages: to look for a hole behind dense memory, the
     * host looks at all of that.
     */
    private static final int SPARSE = 64;

    private final GuestPages memory;
    private boolean due;

    /** @param memory in which holes are looked for; stays the caller's */
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

    /** MIG-HOLE-2: looks once after each sync: a page that is a hole after a sync is one until it is written, and that is in the next. */
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
