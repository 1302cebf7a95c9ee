package org.exomem.balloon;

import java.util.List;
import org.exomem.pages.Pages;

/**
 * A request for free pages (FPB-REQ).
 *
 * @param pageShift the binary logarithm of the bytes of the smallest free block worth naming, 12 to 30
 * @param ranges of guest-physical memory; empty for all memory
 */
public record BitmapRequest(int pageShift, List<Range> ranges) {
    /** The shift of the largest page of a chunk, 1 GiB. */
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

    /** @throws IllegalArgumentException for a page shift out of its range */
    public BitmapRequest {
        if (pageShift < Pages.SHIFT || pageShift > MOST_SHIFT) {
            throw new IllegalArgumentException(
                    "pages can't have 2^" + pageShift + " bytes; must be 2^" + Pages.SHIFT + " to 2^" + MOST_SHIFT);
        }
        ranges = List.copyOf(ranges);
    }
}
