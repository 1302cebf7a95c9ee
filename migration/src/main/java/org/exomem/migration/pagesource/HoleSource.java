package org.exomem.migration.pagesource;

import java.io.IOException;
import org.exomem.migration.Fate;
import org.exomem.migration.GuestPages;
import org.exomem.pages.PageBits;

/** Pages for which the memory file has no data: never touched, or given back to the host. They read as zeros (MIG-HOLE-1). */
public final class HoleSource implements FreePageSource {
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
    public boolean collect(PageBits free) throws IOException {
        if (!due) {
            return false;
        }
        due = false;
        long pages = memory.pages();
        for (long hole = memory.nextHole(0); hole < pages; ) {
            long data = memory.nextData(hole);
            free.add(hole, data - hole);
            hole = data < pages ? memory.nextHole(data) : pages;
        }
        return true;
    }
}
