package org.exomem.balloon;

import org.exomem.pages.Pages;

/** The 4096-byte pages that are wholly in a range of guest addresses. */
final class WholePages {
    private WholePages() {}

    /** The number of the first page that begins at or after the address. */
    static long first(long address) {
        return Pages.ceil(address);
    }

    /** The number of whole pages in a range. */
    static long count(long address, long length) {
        return Math.max(0, Pages.floor(address + length) - first(address));
    }
}
