package org.exomem.balloon;

import java.util.List;
import org.exomem.pages.Pages;

/**
 * What the driver is asked for (FPB-REQ).
 *
 * @param pageShift the binary logarithm of the bytes of the smallest free block worth telling, 12 to 30
 * @param ranges of guest-physical memory; none for all of it
 */
public record BitmapRequest(int pageShift, List<Range> ranges) {
    /** The largest page of a chunk is 1 GiB. */
    static final int MOST_SHIFT = 30;

    /** All free pages, of whatever size. */
    public static final BitmapRequest ALL = new BitmapRequest(Pages.SHIFT, List.of());

    /**
     * A range of guest-physical memory.
     *
     * @param address in bytes
     * @param length in bytes
     */
    public record Range(long address, long length) {}

    /** @throws IllegalArgumentException for a page size out of its range */
    public BitmapRequest {
        if (pageShift < Pages.SHIFT || pageShift > MOST_SHIFT) {
            throw new IllegalArgumentException(
                    "pages of 2^" + pageShift + " bytes; 2^" + Pages.SHIFT + " to 2^" + MOST_SHIFT + " are possible");
        }
        ranges = List.copyOf(ranges);
    }
}
