package org.exomem.migration.pagesource;

import java.util.Set;
import org.exomem.migration.Fate;
import org.exomem.migration.image.AddressMap;
import org.exomem.pages.PageBits;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.pages.PageSubscription;
import org.exomem.pages.RunVisitor;

/**
 * Pages that the guest hinted (VIRTIO, "Free Page Hinting"). A hint says that at some time since its session began the page
 * was free. It counts if that is after the last sync: then what the page held at the sync is of no use, and a write after
 * that is in the next sync. So a session counts whose beginning is seen after what waited at the sync was drained, until it
 * ends or the next sync comes (MIG-HINT-1 to 4).
 */
public final class HintSource extends FeedSource {
    /** What it needs to hear of. */
    public static final Set<Kind> KINDS = Set.of(Kind.HINTING_STARTED, Kind.HINTED, Kind.HINTING_ENDED);

    private final PageBits hinted;
    private final RunVisitor<RuntimeException> hint;
    private boolean running;
    private int current;

    /**
     * @param subscription to {@link #KINDS}; stays the caller's
     * @param pages of the image
     */
    public HintSource(PageSubscription subscription, AddressMap map, long pages) {
        super(subscription, map);
        this.hinted = new PageBits(pages);
        this.hint = hinted::add;
    }

    @Override
    public Fate fate() {
        return Fate.HINTED;
    }

    @Override
    public void synced() {
        drain();
        // A session whose beginning was seen by now began before the sync, for all we know.
        forget();
    }

    @Override
    public boolean collect(PageBits free) {
        drain();
        if (hinted.isEmpty()) {
            return false;
        }
        free.or(hinted);
        hinted.clear();
        return true;
    }

    @Override
    void take(Kind kind, int session, long address, long length) {
        switch (kind) {
            case HINTING_STARTED -> {
                running = true;
                current = session;
            }
            case HINTED -> {
                if (running && session == current) {
                    map().forEachRun(address, length, hint);
                }
            }
            case HINTING_ENDED -> running = false;
            case INFLATED, DEFLATED, REPORTED, RESET, PLUGGED, UNPLUGGED -> {}
        }
    }

    @Override
    void forget() {
        running = false;
        hinted.clear();
    }
}
