package org.exomem.migration.pager;

import java.io.IOException;

/** Brings what nobody waits for, a step at a time. Belongs to one thread. */
final class Prefetcher {
    /** What a step has done. */
    enum Step {
        /** Nothing, as somebody waits (PGR-ORDER-2). */
        STOOD_BACK,
        BROUGHT,
        /** Nothing, as only others than the wanted pages are owed, or none. */
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
     * @param others false if only pages of the working set are wanted now
     * @throws VmmGoneException if the VMM has ended
     * @throws IOException if the pages can't be had now; the next step tries others
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

    /** Pages that were brought so. From any thread. */
    long prefetched() {
        return prefetched;
    }
}
