package org.exomem.balloon;

/** How a balloon asks its driver for free pages. */
public enum FreePageRequests {
    /** It does not ask for bitmaps. */
    OFF,
    /** With free page bitmaps, feature bit 58 (spec/free-page-bitmap.md). */
    BITMAP,
    /** In the format of 2016, in which feature bit 3 means GET_FREE_PAGES. Free page hinting is not possible with it. */
    RFC
}
