package org.exomem.migration.image;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.exomem.pages.Pages;
import org.exomem.pages.RunVisitor;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.jspecify.annotations.Nullable;

/** Maps guest addresses to the pages of an image. Addresses and lengths in bytes. Safe for use by several threads. */
public final class AddressMap {
    /**
     * A range of guest addresses that lies in one file.
     *
     * @param firstPage number of the page in the image at {@code guestAddress}; both are aligned to pages
     */
    public record Range(long guestAddress, long length, long firstPage) {}

    private final List<Range> ranges;

    /** @param ranges must not overlap */
    public AddressMap(List<Range> ranges) {
        this.ranges = List.copyOf(ranges);
    }

    /**
     * Returns the addresses at which a front-end shares files of the image. Regions of other files, and regions that are not
     * aligned to pages, are left out, and with them the devices' knowledge of these pages.
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

    /** The range of a guest address, or null if the address is not in the image. */
    public @Nullable Range at(long address) {
        for (Range range : ranges) {
            if (Long.compareUnsigned(address - range.guestAddress(), range.length()) < 0) {
                return range;
            }
        }
        return null;
    }

    /** Visits the whole pages of a range of guest addresses that are in the image, without partial pages. */
    public <E extends Exception> void forEachRun(long address, long length, RunVisitor<E> visitor) throws E {
        forEach(address, length, Pages.SIZE - 1, 0, visitor);
    }

    /** Visits all pages of the image of which any part is in a range of guest addresses. */
    public <E extends Exception> void forEachTouched(long address, long length, RunVisitor<E> visitor) throws E {
        forEach(address, length, 0, Pages.SIZE - 1, visitor);
    }

    /**
     * @param startSlack added to the start before it is rounded down to a page: 4095 rounds it up
     * @param endSlack added to the end before it is rounded down to a page: 4095 rounds it up
     */
    private <E extends Exception> void forEach(
            long address, long length, int startSlack, int endSlack, RunVisitor<E> visitor) throws E {
        for (Range range : ranges) {
            // Offsets in the range, because a sum of untrusted numbers could overflow.
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
