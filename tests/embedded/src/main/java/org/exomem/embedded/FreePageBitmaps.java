package org.exomem.embedded;

import java.io.IOException;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.GuestRam;

/**
 * The guest's side of free page bitmaps (spec/free-page-bitmap.md). On request, the driver reports the pages that are
 * free in the allocator at that moment, and reserves none of them. For the driver's thread.
 */
final class FreePageBitmaps {
    private static final int NONE = 0;
    private static final int PAGE_SHIFT = Long.numberOfTrailingZeros(GuestRam.PAGE);

    private final BalloonDriver driver;
    private final EmbeddedRam ram;
    private final PageAllocator allocator;
    private int request = NONE;
    private int next;
    private long answers;

    FreePageBitmaps(BalloonDriver driver, EmbeddedRam ram, PageAllocator allocator) {
        this.driver = driver;
        this.ram = ram;
        this.allocator = allocator;
    }

    /** The number of complete answers since the driver started. */
    long answers() {
        return answers;
    }

    /** Sends a chunk, if there is a request. Returns whether there is more to send. */
    boolean step() throws IOException {
        if (request == NONE) {
            next = 0;
            request = driver.freePagesRequest().orElse(NONE);
        }
        if (request == NONE) {
            return false;
        }
        int first = next;
        int end = first < ram.firstHighPage() ? Math.min(ram.firstHighPage(), ram.pages()) : ram.pages();
        int count = Math.min(end - first, BalloonDriver.MOST_CHUNK_PAGES);
        next = first + count;
        boolean last = next >= ram.pages();
        int wanted =
                driver.sendChunk(request, last, ram.address(first), PAGE_SHIFT, allocator.free(first, count), count);
        if (last || wanted != request) {
            answers += last ? 1 : 0;
            request = NONE;
            driver.offerRequestBuffer();
        }
        // After an answer the device may already have another request.
        return true;
    }
}
