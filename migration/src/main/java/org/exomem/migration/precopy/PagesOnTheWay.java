package org.exomem.migration.precopy;

import org.exomem.pages.PageBits;

/**
 * The pages of a migration under way, for display. The engine changes both sets meanwhile. Another thread may read words of
 * them, and sees each page as it was a moment ago.
 *
 * @param travelled pages whose content was sent to the destination at any time
 * @param written pages that the guest wrote between the last two syncs, as the sources of writes report; empty before the
 *     second sync
 */
public record PagesOnTheWay(PageBits travelled, PageBits written) {
    /** Receives the sets on the engine's thread, before the first round. */
    @FunctionalInterface
    public interface Listener {
        void begins(PagesOnTheWay pages);
    }
}
