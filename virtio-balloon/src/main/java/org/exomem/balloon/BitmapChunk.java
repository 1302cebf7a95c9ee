package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.exomem.pages.BitWords;
import org.exomem.vhostuser.virtqueue.DescriptorChain;

/**
 * A message with a bitmap of free pages, and how far it was read. One object is filled again by each message. It works on
 * copies of what the driver made available (FPB-OWN-1).
 */
final class BitmapChunk implements BitWords {
    private static final ValueLayout.OfLong LE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int PART_WORDS = 512;
    private static final long PART_BITS = PART_WORDS * (long) WORD;

    private static final MemorySegment NO_PART = MemorySegment.ofArray(new long[0]);

    /** The part of the bitmap being read. Allocated for the first bitmap, as most drivers send none. */
    private MemorySegment part = NO_PART;

    private int id;
    private boolean last;
    private boolean incomplete;
    private long header;
    private long firstPage;
    private int shift;
    private long bits;
    private long holePage;
    private long holePages;

    /** The bit at which the part begins. */
    private long partStart;

    private long partBits;
    /** Where in the part the next run is searched for. */
    private long next;

    private long runFirst;
    private long runBits;

    /** Bits of 4096-byte pages, taken 64 at once: those of the last word found, and those that belong to the next one. */
    private long mask;

    private long carried;
    private long maskFirstPage;

    /**
     * Begins with a new message.
     *
     * @param id of the request that it answers
     * @param last whether it is the last message of the answer
     * @param incomplete whether the driver has not examined all memory
     * @param header the number of bytes before the bitmap
     * @param firstPage the number of the first page of 4096 bytes
     * @param shift a bit stands for 2^shift pages of 4096 bytes
     * @param bits of the bitmap; that many must be there to be read
     */
    void begin(int id, boolean last, boolean incomplete, int header, long firstPage, int shift, long bits) {
        this.id = id;
        this.last = last;
        this.incomplete = incomplete;
        this.header = header;
        this.firstPage = firstPage;
        this.shift = shift;
        this.bits = bits;
        leaveHole(Long.MAX_VALUE, 0);
        partStart = 0;
        partBits = 0;
        next = 0;
        carried = 0;
    }

    /** The numbers of pages from {@code page} on are higher by {@code pages}. */
    void leaveHole(long page, long pages) {
        holePage = page;
        holePages = pages;
    }

    int id() {
        return id;
    }

    boolean isLast() {
        return last;
    }

    boolean isIncomplete() {
        return incomplete;
    }

    /** True if bits are read 64 at once, by {@link #nextMask}; otherwise run by run. */
    boolean isOfMasks() {
        return shift == 0 && holePages == 0;
    }

    /** Finds the next 64 pages, from a multiple of 64, of which some are set. Returns false at the end of the part. */
    boolean nextMask() {
        int offset = (int) (firstPage % WORD);
        while (next < partBits) {
            long word = word(BitWords.index(next)) & BitWords.mask(next, partBits);
            maskFirstPage = firstPage + partStart + next - offset;
            mask = carried | word << offset;
            carried = offset == 0 ? 0 : word >>> WORD - offset;
            next += WORD;
            if (mask != 0) {
                return true;
            }
        }
        if (carried != 0 && partStart + partBits == bits) {
            maskFirstPage = firstPage + partStart + next - offset;
            mask = carried;
            carried = 0;
            return true;
        }
        return false;
    }

    /** The number of the first of the 64 pages found. */
    long maskFirstPage() {
        return maskFirstPage;
    }

    /** Which of the 64 pages are set. */
    long mask() {
        return mask;
    }

    /** Finds the next run of bits in the part. Returns false at its end. */
    boolean nextRun() {
        runFirst = next(next, partBits, true);
        if (runFirst >= partBits) {
            return false;
        }
        next = next(runFirst, partBits, false);
        // A hole is between pages of 4096 bytes, each with a bit of its own.
        long hole = holePage - partStart;
        if (runFirst < hole && hole < next) {
            next = hole;
        }
        runBits = next - runFirst;
        return true;
    }

    /** The first page of 4096 bytes of the run found. */
    long runFirstPage() {
        long page = firstPage + (partStart + runFirst << shift);
        return page < holePage ? page : page + holePages;
    }

    /** The number of 4096-byte pages in the run. */
    long runPages() {
        return runBits << shift;
    }

    /** Copies the next part of the bitmap; returns false if there is none. */
    boolean nextPart(DescriptorChain chain) {
        partStart += partBits;
        partBits = Math.min(bits - partStart, PART_BITS);
        next = 0;
        if (partBits == 0) {
            return false;
        }
        if (part.byteSize() == 0) {
            part = MemorySegment.ofArray(new long[PART_WORDS]);
        }
        chain.read(header + partStart / Byte.SIZE, part);
        return true;
    }

    @Override
    public long word(long index) {
        return part.getAtIndex(LE_LONG, index);
    }
}
