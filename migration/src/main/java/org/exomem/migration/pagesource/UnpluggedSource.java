package org.exomem.migration.pagesource;

import java.util.Set;
import org.exomem.migration.Fate;
import org.exomem.migration.image.AddressMap;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.pages.PageSubscription;

/** Pages of blocks of memory devices that are unplugged. A balloon's reset changes nothing about them. */
public final class UnpluggedSource extends StateSource {
    /** What it needs to hear of. */
    public static final Set<Kind> KINDS = Set.of(Kind.PLUGGED, Kind.UNPLUGGED);

    /**
     * @param subscription to {@link #KINDS}, from its beginning on; stays the caller's
     * @param pages of the image
     */
    public UnpluggedSource(PageSubscription subscription, AddressMap map, long pages) {
        super(subscription, map, pages);
    }

    @Override
    public Fate fate() {
        return Fate.UNPLUGGED;
    }

    @Override
    void take(Kind kind, int session, long address, long length) {
        switch (kind) {
            case UNPLUGGED -> unused(address, length);
            case PLUGGED -> used(address, length);
            case HINTING_STARTED, HINTED, HINTING_ENDED, INFLATED, DEFLATED, REPORTED, RESET -> {}
        }
    }
}
