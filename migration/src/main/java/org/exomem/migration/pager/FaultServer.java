package org.exomem.migration.pager;

import java.io.IOException;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;

/**
 * Answers touches of missing pages: owed pages are demanded from the source, others become zeros. Allocates and locks
 * nothing, except for errors. For one thread, except where stated.
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
     * Answers all threads that wait now.
     *
     * @return their number
     * @throws VmmGoneException if the VMM has ended
     * @throws IOException if some can't be answered now, with the reason of the last of them: they wait until {@link #again}
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

    /** Lets all threads that wait touch their pages again (PGR-AGAIN-1). */
    void again() {
        placer.wakeAll();
    }

    /** True while a thread waits whose touch was taken. Any thread may call this. */
    boolean isServing() {
        return serving;
    }

    /** The number of touches that were answered or demanded. Any thread may call this. */
    long faults() {
        return faults;
    }

    /** Those of {@link #faults} whose page was not owed. Any thread may call this. */
    long zeroFaults() {
        return zeros;
    }

    /** The owed pages that threads have waited for so far. Any thread may call this; the latest pages may be missing. */
    PageBits touched() {
        PageBits copy = new PageBits(touched.pages());
        copy.copyOf(touched);
        return copy;
    }
}
