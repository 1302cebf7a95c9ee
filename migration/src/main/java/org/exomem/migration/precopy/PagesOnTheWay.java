package org.exomem.migration.precopy;

import org.exomem.pages.PageBits;

/**
 * The pages of a migration under way, for whoever draws them. The engine goes on to change both sets meanwhile: another thread may read
 * words of them, and sees each page as it was a moment ago.
 *
 * @param travelled whose content went to the destination at any time
 * @param written that the guest wrote between the last two syncs, as the sources of writes tell; none before the second sync
 */
public record PagesOnTheWay(PageBits travelled, PageBits written) {
    /** Is told of them, on the engine's thread, before the first round. */
    @FunctionalInterface
    public interface Listener {
        void begins(PagesOnTheWay pages);
    }
}
