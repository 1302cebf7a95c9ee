package org.exomem.migration.precopy;

import org.exomem.migration.Fate;
import org.exomem.migration.pagesource.FreePageSource;
import org.exomem.pages.PageBits;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.pages.PageSubscription;

/** Sources of hints and of the balloon that violate a rule. */
final class BrokenSource implements FreePageSource {
    private final Fate fate;
    private final Mutant mutant;
    private final PageSubscription subscription;
    private final PageBits free;
    private boolean running;
    private int current;
    private long losses;

    BrokenSource(Fate fate, Mutant mutant, PageSubscription subscription, int pages) {
        this.fate = fate;
        this.mutant = mutant;
        this.subscription = subscription;
        this.free = new PageBits(pages);
        this.losses = mutant == Mutant.EARLY_LOSSES_IGNORED ? subscription.losses() : 0;
    }

    @Override
    public Fate fate() {
        return fate;
    }

    @Override
    public boolean isHint() {
        return fate == Fate.HINTED;
    }

    @Override
    public void synced() {
        drain();
        if (fate == Fate.HINTED && mutant != Mutant.START_NOT_CHECKED && mutant != Mutant.HINTED_BEFORE_LOOKING) {
            running = false;
            free.clear();
        }
    }

    private void drain() {
        subscription.drain(this::take);
        boolean lost = subscription.losses() != losses;
        losses = subscription.losses();
        if (lost && mutant != Mutant.LOSSES_IGNORED) {
            running = false;
            free.clear();
        }
    }

    private void take(Kind kind, int session, long address, long length) {
        long page = address / World.PAGE;
        switch (kind) {
            case HINTING_STARTED -> {
                running = true;
                current = session;
            }
            case HINTED -> {
                if (running && session == current) {
                    free.add(page);
                }
            }
            case HINTING_ENDED -> running &= mutant == Mutant.END_NOT_CHECKED;
            case INFLATED -> free.add(page);
            case DEFLATED -> free.remove(page);
            case RESET -> {
                if (mutant != Mutant.RESET_IGNORED) {
                    free.clear();
                }
            }
            case REPORTED, PLUGGED, UNPLUGGED -> {}
        }
    }

    @Override
    public boolean collect(PageBits into, PageBits wanted) {
        drain();
        into.or(free);
        return true;
    }
}
