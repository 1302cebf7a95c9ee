package org.exomem.migration.pager;

import java.io.IOException;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;

/**
 * Answers touches of missing pages: an owed page is demanded of the source, any other becomes zeros. Nothing is allocated or
 * locked, but for errors. Belongs to one thread.
 */
final class FaultServer {
    private final AddressSpace space;
    private final MappedPages mapped;
    private final OwedPages owed;
    private final PageSource source;
    private final PagePlacer placer;
    private final Touches touches;
    private final PageBits touched;
    private volatile boolean serving;
    private volatile long faults;
    private volatile long zeros;

    FaultServer(AddressSpace space, MappedPages mapped, OwedPages owed, PageSource source, Touches touches) {
        this.space = space;
        this.mapped = mapped;
        this.owed = owed;
        this.source = source;
        this.touches = touches;
        this.placer = new PagePlacer(space.giver(), mapped, owed);
        this.touched = new PageBits(owed.pages());
    }

    /**
     * Answers all who wait now.
     *
     * @return how many they were
     * @throws VmmGoneException if the VMM has ended
     * @throws IOException if some can't be answered now, the last of them for this reason: they wait until {@link #again}
     */
    int serve() throws IOException {
        int taken = space.take();
        if (taken == 0) {
            return 0;
        }
        IOException failed = null;
        serving = true;
        try {
            for (int i = 0; i < taken; i++) {
                long page = mapped.pageAt(space.address(i));
                if (page >= 0) {
                    failed = answer(page, failed);
                }
            }
        } finally {
            serving = false;
        }
        if (failed != null) {
            throw failed;
        }
        return taken;
    }

    private @Nullable IOException answer(long page, @Nullable IOException before) throws VmmGoneException {
        try {
            answer(page);
            return before;
        } catch (VmmGoneException e) {
            throw e;
        } catch (IOException e) {
            return e;
        }
    }

    private void answer(long page) throws IOException {
        faults++;
        if (owed.contains(page)) {
            touched.add(page);
            source.demand(page, placer);
            touches.add(page);
        } else {
            zeros++;
            placer.zeros(page);
        }
    }

    /** Has all who wait touch their pages again (PGR-AGAIN-1). */
    void again() {
        placer.wakeAll();
    }

    /** True while somebody waits whose touch was taken. From any thread. */
    boolean isServing() {
        return serving;
    }

    /** Touches that were answered or demanded. From any thread. */
    long faults() {
        return faults;
    }

    /** How many of them found a page that is not owed. From any thread. */
    long zeroFaults() {
        return zeros;
    }

    /** The owed pages that somebody waited for, so far. From any thread; the last ones may be missing. */
    PageBits touched() {
        PageBits copy = new PageBits(touched.pages());
        copy.copyOf(touched);
        return copy;
    }
}
