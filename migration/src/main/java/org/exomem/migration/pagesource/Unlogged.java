package org.exomem.migration.pagesource;

import org.exomem.pages.PageBits;

/** For a VMM that does not log writes: any page may have been written (MIG-DIRTY-5). */
public final class Unlogged implements DirtySource {
    @Override
    public void sync(PageBits into) {
        into.addAll();
    }

    @Override
    public boolean isBlind() {
        return true;
    }
}
