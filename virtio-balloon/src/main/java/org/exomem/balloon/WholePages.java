package org.exomem.balloon;

/** The pages of 4096 bytes that lie wholly in a range of guest addresses. */
final class WholePages {
    private WholePages() {}

    /** The number of the first page that begins at or after the address. */
    static long first(long address) {
        return (address >>> 12) + ((address & 4095) == 0 ? 0 : 1);
    }

    /** How many whole pages a range has. */
    static long count(long address, long length) {
        return Math.max(0, (address + length >>> 12) - first(address));
    }
}
