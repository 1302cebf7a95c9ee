package org.exomem.migration.source;

import org.exomem.migration.PageBits;
import org.exomem.migration.image.AddressMap;
import org.exomem.vhostuser.memory.PageFeed.Kind;
import org.exomem.vhostuser.memory.PageSubscription;

/** What the sources have in common that listen to a VM's devices. */
abstract class FeedSource implements FreePageSource {
    private final PageSubscription subscription;
    private final AddressMap map;
    private long losses;

    FeedSource(PageSubscription subscription, AddressMap map) {
        this.subscription = subscription;
        this.map = map;
        this.losses = subscription.losses();
    }

    /** Takes all messages that wait; forgets everything if one was lost that matters. */
    final void drain() {
        subscription.drain(this::take);
        // After draining: what was lost was newer than what has just been taken.
        long now = subscription.losses();
        if (now != losses) {
            losses = now;
            forget();
        }
    }

    abstract void take(Kind kind, int session, long address, long length);

    /** Nothing that was ever told counts any more. */
    abstract void forget();

    final void add(PageBits pages, long address, long length) {
        map.forEachRun(address, length, pages::add);
    }

    /** Takes all pages out that have any part in the range. */
    final void remove(PageBits pages, long address, long length) {
        map.forEachTouched(address, length, pages::remove);
    }
}
