package org.exomem.backend.map;

import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;

/**
 * The guest addresses of a map, in cells of equal size; the last cell may be smaller. In pages of 4096 bytes.
 *
 * @param first the first page
 * @param length at least 1
 * @param cellPages pages in a cell, at least 1
 */
public record MapRange(long first, long length, long cellPages) {
    /** The most cells of a map. */
    public static final int MOST_CELLS = 4096;

    /**
     * Returns a range with at most this number of cells, whose size is a power of two to be readable.
     *
     * @param from guest address of the first byte; a page that is partly in the range belongs to it
     * @param bytes at least 1
     * @param cells 1 to {@link #MOST_CELLS}
     * @throws IllegalArgumentException if the range ends after the last possible page
     */
    static MapRange of(long from, long bytes, int cells) {
        long most = Pages.bytes(PageSet.LIMIT);
        if (from < 0 || bytes < 1 || from > most - bytes) {
            throw new IllegalArgumentException(
                    "the range of " + bytes + " bytes from " + from + " is not within 0 to " + most);
        }
        long first = Pages.floor(from);
        long length = Pages.ceil(from + bytes) - first;
        long least = (length + cells - 1) / cells;
        return new MapRange(first, length, least == 1 ? 1 : Long.highestOneBit(least - 1) << 1);
    }

    /** The first page after the range. */
    long end() {
        return first + length;
    }

    /** The number of cells. */
    public int cells() {
        return (int) ((length + cellPages - 1) / cellPages);
    }

    /** The cell of a page. */
    int cell(long page) {
        return (int) ((page - first) / cellPages);
    }

    /** The first page after a cell. */
    long endOf(int cell) {
        return Math.min(end(), first + (cell + 1) * cellPages);
    }
}
