package org.exomem.migration.pagesource;

import org.exomem.pages.PageBits;

/** Tells which pages were written. Belongs to the engine's thread. */
public interface DirtySource {
    /**
     * Adds every page that may have been written since the call before, or ever if this is the first. A write that is
     * under way may be told next time; once the guest is paused, nothing is. Never waits.
     */
    void sync(PageBits into);

    /** True if it sees nothing and always adds all pages, so that only their contents tell what was written. */
    default boolean isBlind() {
        return false;
    }
}
