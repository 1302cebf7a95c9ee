package org.exomem.migration.pager;

import java.io.IOException;

/** Brings pages that no thread waits for, in steps. For one thread. */
final class Prefetcher {
    /** The result of a step. */
    enum Step {
        /** No pages, because a thread waits (PGR-ORDER-2). */
        STOOD_BACK,
        BROUGHT,
        /** No pages, because none of the wanted pages is owed. */
        NOTHING_WANTED
    }

    private final FaultServer faults;
    private final PrefetchOrder order;
    private final PageSource source;
    private final PagePlacer placer;
    private volatile long prefetched;

    Prefetcher(FaultServer faults, PrefetchOrder order, PageSource source, PagePlacer placer) {
        this.faults = faults;
        this.order = order;
        this.source = source;
        this.placer = placer;
    }

    /**
     * @param others false for pages of the working set only
     * @throws VmmGoneException if the VMM has ended
     * @throws IOException if the pages are not available now; the next step tries others
     */
    Step step(boolean others) throws IOException {
        if (faults.isServing()) {
            return Step.STOOD_BACK;
        }
        if (!order.next(others)) {
            return Step.NOTHING_WANTED;
        }
        try {
            source.prefetch(order.first(), order.count(), placer);
        } finally {
            prefetched = placer.placed();
        }
        return Step.BROUGHT;
    }

    /** True while there is a working set of which pages may be owed. */
    boolean bringsSet() {
        return order.hasSet();
    }

    /** The number of pages that were brought. Any thread may call this. */
    long prefetched() {
        return prefetched;
    }
}
