package org.exomem.pages;

import java.util.ArrayList;
import java.util.List;

/**
 * The guest memory that must keep its host memory while the guest has it: the regions of memory devices that preallocate.
 * These devices add their regions. The balloon checks them before it gives memory back that the guest only reports as free
 * (BAL-REP-4). Guest addresses in bytes. Used on the VM's event loop.
 */
public final class PromisedMemory {
    private record Range(long start, long end) {}

    private final List<Range> ranges = new ArrayList<>();

    /**
     * Adds a range, which must not overlap others.
     *
     * @param address of its first byte, at least 0
     * @param length in bytes, at least 1
     */
    public void add(long address, long length) {
        ranges.add(new Range(address, address + length));
    }

    /** Removes a range, if it was added. */
    public void remove(long address, long length) {
        ranges.remove(new Range(address, address + length));
    }

    /**
     * The beginning of promised memory.
     *
     * @return the first promised address from {@code from} on, or {@code end} if there is none before it
     */
    public long next(long from, long end) {
        long found = end;
        for (int i = 0; i < ranges.size(); i++) {
            Range range = ranges.get(i);
            if (range.end > from) {
                found = Math.min(found, Math.max(range.start, from));
            }
        }
        return found;
    }

    /**
     * The end of promised memory.
     *
     * @return the first address from {@code from} on that is not promised, or {@code end} if there is none before it
     */
    public long nextUnpromised(long from, long end) {
        long found = from;
        while (found < end) {
            long behind = endOfRangeAt(found);
            if (behind < 0) {
                return found;
            }
            found = behind;
        }
        return end;
    }

    /** The end of an address's range, or -1 if it is in none. */
    private long endOfRangeAt(long address) {
        for (int i = 0; i < ranges.size(); i++) {
            Range range = ranges.get(i);
            if (address >= range.start && address < range.end) {
                return range.end;
            }
        }
        return -1;
    }
}
