package org.exomem.migration.pagesource;

import org.exomem.pages.PageBits;

/** A source of written pages (MIG-DIRTY-1, MIG-DIRTY-2). Used by the engine's thread only. */
public interface DirtySource {
    /**
     * Announces a sync: called on all sources before {@link #sync} of the first. A source may begin work for it on another
     * thread, so that the sources do not wait one after the other while the guest is paused. Some callers do not call this.
     */
    default void beginSync() {}

    /**
     * Adds every page that may have been written since the last call; at the first call, since the source was made, as all
     * pages are owed before that. A write that is under way may be reported by the next call; while the guest is paused,
     * none is under way. Never waits for the guest.
     *
     * @param into a set of all pages of the image
     */
    void sync(PageBits into);

    /** True if the source sees no writes and always adds all pages, so that only contents show what was written. */
    default boolean isBlind() {
        return false;
    }

    /**
     * True if the source may report a write before it is done, and not again afterwards, because a device writes pages that
     * were pinned earlier. The last sync makes all pages owed that such a source has ever reported (MIG-DIRTY-8).
     */
    default boolean mayTellEarly() {
        return false;
    }
}
