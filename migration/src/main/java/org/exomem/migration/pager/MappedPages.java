package org.exomem.migration.pager;

import java.util.List;
import org.exomem.pages.Pages;

/**
 * The addresses of the pages of the guest's memory in a VMM. Immutable; lookups allocate nothing.
 *
 * <p>Pages may be mapped twice. Then they are given at their first mapping.
 */
public final class MappedPages {
    private final List<Range> ranges;
    private final long[] address;
    private final long[] firstPage;
    private final long[] count;
    private final boolean twice;

    /**
     * A part of an address space.
     *
     * @param address of the first page, in the VMM
     * @param firstPage its number in the guest's memory
     * @param pages at least one
     */
    public record Range(long address, long firstPage, long pages) {}

    public MappedPages(List<Range> ranges) {
        this.ranges = List.copyOf(ranges);
        this.address = ranges.stream().mapToLong(Range::address).toArray();
        this.firstPage = ranges.stream().mapToLong(Range::firstPage).toArray();
        this.count = ranges.stream().mapToLong(Range::pages).toArray();
        this.twice = this.ranges.stream()
                .anyMatch(range -> this.ranges.stream()
                        .anyMatch(other -> other != range
                                && other.firstPage < range.firstPage + range.pages
                                && range.firstPage < other.firstPage + other.pages));
    }

    public List<Range> ranges() {
        return ranges;
    }

    /** True if there are pages at two addresses. */
    boolean hasPagesTwice() {
        return twice;
    }

    int size() {
        return address.length;
    }

    /** The page that is mapped at an address, or -1. */
    long pageAt(long at) {
        for (int i = 0; i < address.length; i++) {
            long offset = at - address[i];
            if (offset >= 0 && offset < Pages.bytes(count[i])) {
                return firstPage[i] + Pages.floor(offset);
            }
        }
        return -1;
    }

    /** The index of the first range that has a page, or -1. */
    int rangeOf(long page) {
        for (int i = 0; i < address.length; i++) {
            if (has(i, page)) {
                return i;
            }
        }
        return -1;
    }

    boolean has(int range, long page) {
        return page >= firstPage[range] && page < firstPage[range] + count[range];
    }

    /** The address of a page in a range that has it. */
    long address(int range, long page) {
        return address[range] + Pages.bytes(page - firstPage[range]);
    }

    /** How many pages a range has, from one of its pages on. */
    long rest(int range, long page) {
        return firstPage[range] + count[range] - page;
    }
}
