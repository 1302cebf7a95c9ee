package org.exomem.migration.image;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.exomem.pages.Pages;
import org.exomem.pages.RunVisitor;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.jspecify.annotations.Nullable;

/**
 * Where the guest sees the pages of an image: what devices say of guest addresses becomes a set of pages. Addresses and
 * lengths in bytes. Safe for use by several threads.
 */
public final class AddressMap {
    /**
     * A range of the guest's address space that lies in one file.
     *
     * @param firstPage number of the page in the image at {@code guestAddress}; both are aligned to pages
     */
    public record Range(long guestAddress, long length, long firstPage) {}

    private final List<Range> ranges;

    /** @param ranges that don't overlap */
    public AddressMap(List<Range> ranges) {
        this.ranges = List.copyOf(ranges);
    }

    /**
     * The addresses at which a front-end shares files of the image; what it shares of other files, or not in whole pages, is
     * left out, and with it what devices say of it.
     */
    public static AddressMap of(List<MemoryRegion> regions, MemoryImage image) {
        List<Range> ranges = new ArrayList<>();
        for (MemoryRegion region : regions) {
            OptionalLong first = image.firstPage(region.file());
            boolean aligned = Pages.isWhole(region.guestAddress() | region.fileOffset());
            if (first.isPresent() && aligned) {
                ranges.add(new Range(
                        region.guestAddress(),
                        region.size() & -Pages.SIZE,
                        first.getAsLong() + Pages.floor(region.fileOffset())));
            }
        }
        return new AddressMap(ranges);
    }

    public List<Range> ranges() {
        return ranges;
    }

    /** The range that a guest address is in, or null if it is not in the image. */
    public @Nullable Range at(long address) {
        for (Range range : ranges) {
            if (Long.compareUnsigned(address - range.guestAddress(), range.length()) < 0) {
                return range;
            }
        }
        return null;
    }

    /** Gives the whole pages of a range of guest addresses that are in the image; parts of pages are left out. */
    public <E extends Exception> void forEachRun(long address, long length, RunVisitor<E> visitor) throws E {
        forEach(address, length, Pages.SIZE - 1, 0, visitor);
    }

    /** Gives all pages of the image in which any part of a range of guest addresses is. */
    public <E extends Exception> void forEachTouched(long address, long length, RunVisitor<E> visitor) throws E {
        forEach(address, length, 0, Pages.SIZE - 1, visitor);
    }

    /**
     * @param startSlack bytes of a page that may be missing for it to begin with the next one
     * @param endSlack bytes of a page that may be missing for it to be in
     */
    private <E extends Exception> void forEach(
            long address, long length, int startSlack, int endSlack, RunVisitor<E> visitor) throws E {
        for (Range range : ranges) {
            // Offsets into the range: no sum of foreign numbers that could wrap.
            long start = Long.compareUnsigned(address, range.guestAddress()) > 0 ? address - range.guestAddress() : 0;
            if (Long.compareUnsigned(start, range.length()) >= 0) {
                continue;
            }
            long skipped = range.guestAddress() + start - address;
            if (Long.compareUnsigned(skipped, length) >= 0) {
                continue;
            }
            long end = start + Math.min(range.length() - start, Math.max(0, clamped(length - skipped)));
            long from = Pages.floor(start + startSlack);
            long to = Pages.floor(end + endSlack);
            if (to > from) {
                visitor.run(range.firstPage() + from, to - from);
            }
        }
    }

    private static long clamped(long unsigned) {
        return unsigned < 0 ? Long.MAX_VALUE : unsigned;
    }
}
