package org.exomem.migration.pagesource;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.exomem.migration.GuestPages;
import org.exomem.migration.image.AddressMap;
import org.exomem.pages.PageBits;
import org.exomem.pages.PageDescriptors;
import org.exomem.pages.Pages;
import org.exomem.pages.RunVisitor;

/**
 * Reads page descriptors and guards from a guest's memory (FPB-DESC-7). Whatever the guest has reported about them, nothing
 * outside its memory is read, and no more time is used than for the descriptors of all its pages. For one thread.
 */
final class DescriptorReader {
    /** The most bytes of one read. */
    private static final int WINDOW_BYTES = 256 << 10;
    /** The most that is read altogether, as a part of memory. Linux's descriptors take a 64th of it. */
    private static final int READ_PART = 32;
    /** The lower limit of that for a guest with little memory, as each guard may be in another page. */
    private static final long LEAST_READ = 64L << 20;

    private static final ValueLayout.OfInt WORD = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final GuestPages memory;
    private final AddressMap map;
    private final int pageSize;
    private final MemorySegment window;
    /** The content of the window: whole pages from this guest address on. */
    private long windowAddress;

    private long windowLength;
    /** How many more descriptors may be examined (FPB-DESC-11). */
    private long left;
    /** How many more bytes may be read. */
    private long bytesLeft;

    DescriptorReader(GuestPages memory, AddressMap map) {
        this.memory = memory;
        this.map = map;
        this.pageSize = memory.pageSize();
        this.window = Arena.ofAuto().allocate(Pages.floor(WINDOW_BYTES) * pageSize, Long.BYTES);
    }

    /** Drops the window and resets the limits, so that memory is read again. */
    void begin() {
        windowLength = 0;
        left = memory.pages();
        bytesLeft = Math.max(LEAST_READ, Pages.bytes(memory.pages()) / READ_PART);
    }

    /**
     * True if the guard is in the guest's memory and holds.
     *
     * @throws IOException if memory can't be read
     */
    boolean holds(PageDescriptors.Guard guard) throws IOException {
        return load(guard.address(), Integer.BYTES) && guard.holds(word(guard.address()));
    }

    /**
     * Adds the pages of a range that its descriptors mark as free.
     *
     * @param into a set of all pages of the image
     * @throws IOException if memory can't be read
     */
    void addFree(PageDescriptors told, PageDescriptors.Range range, PageBits into) throws IOException {
        RunVisitor<RuntimeException> add = into::add;
        for (long page = 0; page < range.pages() && left > 0; ) {
            long pages = freeBlock(told, range, page);
            if (pages > 0) {
                map.forEachRun(range.address() + (page << told.pageShift()), pages << told.pageShift(), add);
            }
            page += Math.max(1, pages);
            left -= Math.max(1, pages);
        }
    }

    /**
     * The number of pages of the free block that begins at {@code page} of the range, as far as they are in the range; 0 if
     * none begins there.
     */
    private long freeBlock(PageDescriptors told, PageDescriptors.Range range, long page) throws IOException {
        long descriptor = range.descriptors() + page * told.stride();
        if (!load(descriptor, Math.max(told.markOffset(), told.orderOffset()) + Integer.BYTES)
                || (word(descriptor + told.markOffset()) & told.markMask()) != (told.markValue() & told.markMask())) {
            return 0;
        }
        int order = word(descriptor + told.orderOffset());
        if (order < 0 || order > told.mostOrder()) {
            return 0;
        }
        long number = (range.address() >>> told.pageShift()) + page;
        return (number & (1L << order) - 1) == 0 ? Math.min(1L << order, range.pages() - page) : 0;
    }

    private int word(long address) {
        return window.get(WORD, position(address));
    }

    /** The position of a guest address in the window. */
    private long position(long address) {
        return Pages.floor(address - windowAddress) * pageSize + (address & Pages.SIZE - 1);
    }

    /**
     * Fills the window so that it has {@code length} bytes at a guest address.
     *
     * @return false if the guest's memory does not have them in one piece, or the limit is reached
     */
    private boolean load(long address, int length) throws IOException {
        long inWindow = address - windowAddress;
        if (inWindow >= 0 && inWindow <= windowLength - length) {
            return true;
        }
        AddressMap.Range range = map.at(address);
        if (range == null || address - range.guestAddress() > range.length() - length || bytesLeft <= 0) {
            return false;
        }
        // Sequential reads become larger and larger. After a large free block it is unknown what is needed next.
        long gap = address - (windowAddress + windowLength);
        long ahead = gap >= -length && gap <= length ? Math.min(2 * windowLength, WINDOW_BYTES) : length;
        long first = address - range.guestAddress() & -Pages.SIZE;
        long end = Pages.bytes(Pages.ceil(address - range.guestAddress() + length));
        long bytes = Math.min(Math.max(end - first, ahead), range.length() - first);
        windowLength = 0;
        bytesLeft -= bytes;
        memory.read(range.firstPage() + Pages.floor(first), window.asSlice(0, Pages.floor(bytes) * pageSize));
        windowAddress = range.guestAddress() + first;
        windowLength = bytes;
        return true;
    }
}
