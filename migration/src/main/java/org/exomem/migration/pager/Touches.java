package org.exomem.migration.pager;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * The pages that were touched last, for whoever wants to know what may be touched next. Only a guide: what is not read in time is
 * overwritten. One thread writes, one reads; nobody waits.
 */
public final class Touches {
    private static final VarHandle PAGES = MethodHandles.arrayElementVarHandle(long[].class);
    private static final int SIZE = 64;

    private final long[] pages = new long[SIZE];
    private volatile long written;
    private long read;

    /** By the one thread that writes. */
    public void add(long page) {
        long at = written;
        PAGES.setOpaque(pages, (int) (at % SIZE), page);
        written = at + 1;
    }

    /** The one that was touched last and not read before, or -1. By the one thread that reads. */
    long newest() {
        long end = written;
        if (end == read) {
            return -1;
        }
        // Those before it are as near to it as anything is, or were overtaken.
        long page = (long) PAGES.getOpaque(pages, (int) ((end - 1) % SIZE));
        read = end;
        return page;
    }
}
