package org.exomem.migration.pager;

import java.io.IOException;

/**
 * Where the pages come from that a VMM misses. It brings them at once, or later from a thread of its own; never anything else than
 * their content (PGR-SOURCE-1).
 */
public interface PageSource {
    /**
     * Somebody waits for a page that is owed. On the thread that serves faults.
     *
     * @throws IOException if it can't be had now: the page stays owed, and is asked for again after a while
     */
    void demand(long page, PagePlacer into) throws IOException;

    /**
     * Brings pages that nobody waits for. On a thread of its own; may take its time.
     *
     * @param count at least one; some may be there already
     * @throws IOException as {@link #demand} does
     */
    void prefetch(long first, long count, PagePlacer into) throws IOException;
}
