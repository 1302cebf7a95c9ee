package org.exomem.migration.pagesource;

import org.exomem.migration.image.AddressMap;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.pages.PageSubscription;

/** What the sources have in common that listen to a VM's devices. */
abstract class FeedSource implements FreePageSource {
    private static final PageFeed.Listener NOTHING = (kind, session, address, length) -> {};

    private final PageSubscription subscription;
    private final AddressMap map;
    // Made once: draining happens often, and mostly for nothing.
    private final PageFeed.Listener listener = this::take;
    /** As many were known of: a subscription begins with none, and may have lost some before anybody drained it. */
    private long losses;

    FeedSource(PageSubscription subscription, AddressMap map) {
        this.subscription = subscription;
        this.map = map;
    }

    /** Takes all messages that wait; forgets everything if one was lost that matters. */
    final void drain() {
        subscription.drain(listener);
        // After taking: a message that was lost may be newer than any of these.
        for (long now = subscription.losses(); now != losses; now = subscription.losses()) {
            losses = now;
            // It may be newer, too, than what waits by now: a page's way into the balloon, when its way out was lost.
            subscription.drain(NOTHING);
            forget();
        }
    }

    abstract void take(Kind kind, int session, long address, long length);

    /** Nothing that was ever told counts any more. */
    abstract void forget();

    final AddressMap map() {
        return map;
    }
}
