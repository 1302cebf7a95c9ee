package org.exomem.migration.pager;

import java.io.IOException;

/**
 * The source of pages that a VMM misses. It places them at once, or later from a thread of its own; always with their true
 * content (PGR-SOURCE-1).
 */
public interface PageSource {
    /**
     * A thread waits for an owed page. Called on the thread that serves faults.
     *
     * @throws IOException if the page is not available now: it stays owed, and is demanded again after a while
     */
    void demand(long page, PagePlacer into) throws IOException;

    /**
     * Brings pages that no thread waits for. Called on a thread of its own; may take long.
     *
     * @param count at least one; some may be present already
     * @throws IOException as {@link #demand} does
     */
    void prefetch(long first, long count, PagePlacer into) throws IOException;
}
