package org.exomem.migration.pagesource;

import org.exomem.migration.image.AddressMap;
import org.exomem.pages.PageBits;
import org.exomem.pages.PageSubscription;
import org.exomem.pages.RunVisitor;

/**
 * Pages that a device knows to be unused until it says otherwise. The guest uses such a page only after the device has told
 * so; a write then is after the last sync that came before that, and in the next one (MIG-STATE-1).
 */
abstract class StateSource extends FeedSource {
    private final PageBits unused;
    private final RunVisitor<RuntimeException> add;
    private final RunVisitor<RuntimeException> remove;
    private boolean changed;

    StateSource(PageSubscription subscription, AddressMap map, long pages) {
        super(subscription, map);
        this.unused = new PageBits(pages);
        this.add = unused::add;
        this.remove = unused::remove;
    }

    @Override
    public final void synced() {
        drain();
        changed = true;
    }

    @Override
    public final boolean collect(PageBits free) {
        drain();
        if (!changed) {
            return false;
        }
        changed = false;
        free.or(unused);
        return true;
    }

    final void unused(long address, long length) {
        map().forEachRun(address, length, add);
        changed = true;
    }

    /** Pages of which any part is in the range. */
    final void used(long address, long length) {
        map().forEachTouched(address, length, remove);
    }

    @Override
    final void forget() {
        unused.clear();
    }
}
