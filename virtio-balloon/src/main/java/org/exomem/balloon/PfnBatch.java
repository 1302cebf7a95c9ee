package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.function.LongPredicate;
import org.exomem.pages.Pages;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.virtqueue.DescriptorChain;

/**
 * Sorts page numbers from the driver's buffers, where they are le32 in any order, into runs in ascending order. They are
 * copied out of guest memory once, and checked and used in the copy.
 */
final class PfnBatch {
    /** Receives a run of neighbouring pages of 4096 bytes. */
    @FunctionalInterface
    interface Run {
        void accept(long firstPage, long pages);
    }

    /** The number of page numbers (4 bytes each) at which a batch is full: runs of up to 256 MiB. */
    static final int LIMIT = 1 << 16;

    // Linux sends at most 256 at once.
    private static final int START = 1 << 8;
    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final int DIGIT_BITS = 8;
    private static final int DIGIT_MASK = (1 << DIGIT_BITS) - 1;

    private int[] pfns = new int[START];
    // For sorting: a second array, and the number of page numbers with each digit.
    private int[] spare = new int[START];
    private final int[] digits = new int[1 << DIGIT_BITS];
    private int count;
    private boolean ascending = true;
    private boolean descending = true;
    private long previous = -1;
    // The whole pages of the region used last.
    private long regionFirst;
    private long regionPages;

    boolean isEmpty() {
        return count == 0;
    }

    boolean isFull() {
        return count == LIMIT;
    }

    int count() {
        return count;
    }

    /** Makes the batch empty. */
    void clear() {
        count = 0;
        ascending = true;
        descending = true;
        previous = -1;
        forgetRegion();
    }

    /** Forgets the region used last: regions have changed. */
    void forgetRegion() {
        regionPages = 0;
    }

    /**
     * Adds page numbers from the chain's buffer {@code i}, as far as there is room.
     *
     * @param at where they begin in the buffer, in bytes
     * @param most the number of page numbers there
     * @param leaving pages that may be named although they are not in memory, because the driver takes them out
     * @param leftAlone receives pages that are not in memory; they are not added
     * @return the number of page numbers read
     */
    int add(
            DescriptorChain chain,
            int i,
            long at,
            long most,
            GuestMemory memory,
            LongPredicate leaving,
            LeftAlone leftAlone) {
        int length = (int) Math.min(most, LIMIT - count);
        reserve(length);
        MemorySegment.copy(chain.region(i).segment(), LE_INT, chain.offset(i) + at, pfns, count, length);
        accept(length, memory, leaving, leftAlone);
        return length;
    }

    /** Adds one page number, if its page is in memory or leaving. There must be room. */
    void add(int pfn, GuestMemory memory, LongPredicate leaving, LeftAlone leftAlone) {
        reserve(1);
        pfns[count] = pfn;
        accept(1, memory, leaving, leftAlone);
    }

    private void reserve(int length) {
        if (count + length > pfns.length) {
            pfns = Arrays.copyOf(
                    pfns, Math.min(LIMIT, Math.max(2 * pfns.length, Integer.highestOneBit(count + length) * 2)));
        }
    }

    private void accept(int length, GuestMemory memory, LongPredicate leaving, LeftAlone leftAlone) {
        int end = count + length;
        int i = count;
        long before = previous;
        boolean up = ascending;
        boolean down = descending;
        for (; i < end; i++) {
            long page = Integer.toUnsignedLong(pfns[i]);
            if (!isKnown(page, memory) && !leaving.test(page)) {
                break;
            }
            up &= page > before;
            down &= page < before | before < 0;
            before = page;
        }
        count = i;
        previous = before;
        ascending = up;
        descending = down;
        for (; i < end; i++) {
            acceptOrLeaveAlone(pfns[i], memory, leaving, leftAlone);
        }
    }

    /** The slow path, used once a buffer has named a page that is not in memory. */
    private void acceptOrLeaveAlone(int pfn, GuestMemory memory, LongPredicate leaving, LeftAlone leftAlone) {
        long page = Integer.toUnsignedLong(pfn);
        if (!isKnown(page, memory) && !leaving.test(page)) {
            leftAlone.page(page);
            return;
        }
        pfns[count] = pfn;
        count++;
        ascending &= page > previous;
        descending &= page < previous || previous < 0;
        previous = page;
    }

    private boolean isKnown(long page, GuestMemory memory) {
        return Long.compareUnsigned(page - regionFirst, regionPages) < 0 || lookUp(page, memory);
    }

    private boolean lookUp(long page, GuestMemory memory) {
        MemoryRegion region = memory.find(Pages.bytes(page));
        if (region == null) {
            return false;
        }
        long first = Pages.ceil(region.guestAddress());
        long end = Pages.floor(region.guestAddress() + region.size());
        if (page < first || page >= end) {
            return false;
        }
        regionFirst = first;
        regionPages = end - first;
        return true;
    }

    /** Puts the page numbers into ascending order. */
    void sort() {
        if (ascending) {
            return;
        }
        if (descending) {
            for (int low = 0, high = count - 1; low < high; low++, high--) {
                int pfn = pfns[low];
                pfns[low] = pfns[high];
                pfns[high] = pfn;
            }
        } else {
            sortByDigits();
        }
        ascending = true;
        descending = false;
    }

    /** A radix sort by bytes, from the lowest to the highest, as unsigned numbers. The JDK's sort would allocate. */
    private void sortByDigits() {
        if (spare.length < pfns.length) {
            spare = new int[pfns.length];
        }
        for (int shift = 0; shift < Integer.SIZE; shift += DIGIT_BITS) {
            Arrays.fill(digits, 0);
            for (int i = 0; i < count; i++) {
                digits[pfns[i] >>> shift & DIGIT_MASK]++;
            }
            if (digits[pfns[0] >>> shift & DIGIT_MASK] == count) {
                // All have the same digit here, which is usual for the upper ones.
                continue;
            }
            int start = 0;
            for (int digit = 0; digit <= DIGIT_MASK; digit++) {
                int length = digits[digit];
                digits[digit] = start;
                start += length;
            }
            for (int i = 0; i < count; i++) {
                int pfn = pfns[i];
                spare[digits[pfn >>> shift & DIGIT_MASK]++] = pfn;
            }
            int[] sorted = spare;
            spare = pfns;
            pfns = sorted;
        }
    }

    /** Visits every run; a page that was named several times is visited once. Requires {@link #sort}. */
    void forEachRun(Run run) {
        forEachRun(0, Integer.MAX_VALUE, Long.MAX_VALUE, run);
    }

    /**
     * Visits some runs.
     *
     * @param from the number of page numbers of this batch that were visited before
     * @param mostRuns stops after this many runs
     * @param mostPages stops after this many pages as well; a longer run is visited in parts
     * @return the number of page numbers visited so far
     */
    int forEachRun(int from, int mostRuns, long mostPages, Run run) {
        int i = from;
        long pages = 0;
        for (int runs = 0; i < count && runs < mostRuns && pages < mostPages; runs++) {
            long first = Integer.toUnsignedLong(pfns[i]);
            long last = first;
            for (i++; i < count; i++) {
                long page = Integer.toUnsignedLong(pfns[i]);
                if (page != last && (page != last + 1 || page - first >= mostPages - pages)) {
                    break;
                }
                last = page;
            }
            run.accept(first, last - first + 1);
            pages += last - first + 1;
        }
        return i;
    }
}
