package org.exomem.embedded;

import java.io.IOException;
import java.util.BitSet;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.GuestRam;

/**
 * Inflates or deflates the balloon to the size that the device wants, as far as there are free pages. For the driver's
 * thread.
 */
final class BalloonSize {
    private static final int WRITE_EVERY = 64;

    private final BalloonDriver driver;
    private final EmbeddedRam ram;
    private final PageAllocator allocator;
    private final BitSet inBalloon = new BitSet();
    private volatile int count;
    private int unwritten;
    private boolean wantsMore;

    BalloonSize(BalloonDriver driver, EmbeddedRam ram, PageAllocator allocator) {
        this.driver = driver;
        this.ram = ram;
        this.allocator = allocator;
    }

    /** The number of pages in the balloon. For any thread. */
    int count() {
        return count;
    }

    /** True if there were too few free pages: the driver should try again later. */
    boolean wantsMore() {
        return wantsMore;
    }

    /** Takes a step towards a size in pages. Returns whether there is more to do now. */
    boolean step(long target) throws IOException {
        int before = count;
        if (target > count) {
            inflate((int) Math.min(BalloonDriver.PFNS_PER_BUFFER, target - count));
        } else if (target < count) {
            deflate((int) Math.min(BalloonDriver.PFNS_PER_BUFFER, count - target));
        }
        wantsMore = count < target && count == before;
        boolean more = count != target && count != before;
        unwritten++;
        if (count != driver.actual() && (!more || unwritten >= WRITE_EVERY)) {
            driver.writeActual(count);
            unwritten = 0;
        }
        return more;
    }

    /** Returns some pages to the guest that it needs now, as with DEFLATE_ON_OOM. */
    void rescue() throws IOException {
        if (count > 0) {
            deflate(Math.min(BalloonDriver.PFNS_PER_BUFFER, count));
            driver.writeActual(count);
        }
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // only the driver's thread writes it
    private void inflate(int most) throws IOException {
        PageAllocator.Run run = allocator.takeFromTop(most);
        if (run != null) {
            inBalloon.set(run.first(), run.first() + run.count());
            count += run.count();
            driver.inflate(ram.address(run.first()), run.count() * GuestRam.PAGE);
        }
    }

    private void deflate(int most) throws IOException {
        int first = inBalloon.nextSetBit(0);
        int end = Math.min(inBalloon.nextClearBit(first), first + most);
        end = first < ram.firstHighPage() ? Math.min(end, ram.firstHighPage()) : end;
        PageAllocator.Run run = new PageAllocator.Run(first, end - first);
        // The device receives the request before the pages are used again, as MUST_TELL_HOST demands.
        driver.deflate(ram.address(first), run.count() * GuestRam.PAGE);
        giveBack(run);
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // only the driver's thread writes it
    private void giveBack(PageAllocator.Run run) {
        inBalloon.clear(run.first(), run.first() + run.count());
        count -= run.count();
        allocator.give(run);
    }

    /** Takes all pages back without a request, because the device is gone. */
    void forget() {
        for (int first = inBalloon.nextSetBit(0); first >= 0; first = inBalloon.nextSetBit(0)) {
            giveBack(new PageAllocator.Run(first, inBalloon.nextClearBit(first) - first));
        }
    }
}
