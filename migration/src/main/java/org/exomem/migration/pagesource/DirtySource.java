package org.exomem.migration.pagesource;

import org.exomem.pages.PageBits;

/** Tells which pages were written (MIG-DIRTY-1, MIG-DIRTY-2). Belongs to the engine's thread. */
public interface DirtySource {
    /**
     * A sync is about to begin: of all sources, before {@link #sync} of the first. What another thread can find out for it may be begun
     * here, so that the sources do not wait one after the other while a guest is paused. Not called by everybody.
     */
    default void beginSync() {}

    /**
     * Adds every page that may have been written since the last call, or since the source was made: before that all pages are
     * owed. A write that is under way may be told by the next call; when the guest is paused, none is under way. Never waits
     * for the guest.
     *
     * @param into a set of all pages of the image
     */
    void sync(PageBits into);

    /** True if it sees no writes and always adds all pages, so that only their contents tell what was written. */
    default boolean isBlind() {
        return false;
    }

    /**
     * True if a write may be told before it is done, and not again afterwards: a device writes pages that were pinned for it
     * before. What such a source has told is owed once more by the last sync (MIG-DIRTY-8).
     */
    default boolean mayTellEarly() {
        return false;
    }
}
