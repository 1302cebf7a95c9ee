package org.exomem.migration.pagesource;

import java.util.Set;
import org.exomem.migration.Fate;
import org.exomem.migration.image.AddressMap;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.pages.PageSubscription;

/** Pages in the balloon of a driver that tells before it uses them again. */
public final class BalloonSource extends StateSource {
    /** What it needs to hear of. */
    public static final Set<Kind> KINDS = Set.of(Kind.INFLATED, Kind.DEFLATED, Kind.RESET);

    /**
     * @param subscription to {@link #KINDS}, from its beginning on; stays the caller's
     * @param pages of the image
     */
    public BalloonSource(PageSubscription subscription, AddressMap map, long pages) {
        super(subscription, map, pages);
    }

    @Override
    public Fate fate() {
        return Fate.BALLOON;
    }

    @Override
    void take(Kind kind, int session, long address, long length) {
        switch (kind) {
            case INFLATED -> unused(address, length);
            case DEFLATED -> used(address, length);
            case RESET -> forget();
            case HINTING_STARTED, HINTED, HINTING_ENDED, REPORTED, PLUGGED, UNPLUGGED -> {}
        }
    }
}
