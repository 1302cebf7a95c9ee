package org.exomem.balloon;

/** How a balloon asks its driver for free pages, if at all. */
public enum FreePageRequests {
    /** Not by bitmaps. */
    OFF,
    /** By free page bitmaps, feature bit 58 (spec/free-page-bitmap.md). */
    BITMAP,
    /** In the format of 2016, in which feature bit 3 means GET_FREE_PAGES: there is no free page hinting then. */
    RFC
}
