package org.exomem.migration.pager;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * The pages that were touched last, as a guide to the next touches. Entries that are not read in time are overwritten. One
 * thread writes, one reads; neither waits.
 */
public final class Touches {
    private static final VarHandle PAGES = MethodHandles.arrayElementVarHandle(long[].class);
    private static final int SIZE = 64;

    private final long[] pages = new long[SIZE];
    private volatile long written;
    private long read;

    /** For the one thread that writes. */
    public void add(long page) {
        long at = written;
        PAGES.setOpaque(pages, (int) (at % SIZE), page);
        written = at + 1;
    }

    /** The last touch that was not read before, or -1. For the one thread that reads. */
    long newest() {
        long end = written;
        if (end == read) {
            return -1;
        }
        // Earlier touches are near this one, or outdated.
        long page = (long) PAGES.getOpaque(pages, (int) ((end - 1) % SIZE));
        read = end;
        return page;
    }
}
