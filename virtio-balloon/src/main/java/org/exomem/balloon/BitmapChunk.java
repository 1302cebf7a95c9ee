package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.exomem.pages.BitWords;
import org.exomem.pages.Pages;
import org.exomem.vhostuser.virtqueue.DescriptorChain;

/**
 * A chunk of an answer to a request for a free page bitmap (FPB-ANS). Filled again by each chunk; works from copies of what the
 * driver made available (FPB-OWN-1).
 *
 * <pre>
 *  0 le32 id
 *  4 le16 type          0
 *  6 le16 flags         1 LAST, 2 INCOMPLETE
 *  8 le64 address       of the first page
 * 16 le64 pages         bits
 * 24 u8   page_shift
 * 25 u8   reserved[7]
 * 32 u8   bitmap[(pages + 7) / 8]
 *    le32 wanted        device-writable
 * </pre>
 */
final class BitmapChunk implements BitWords {
    static final int HEADER = 32;

    private static final ValueLayout.OfShort LE_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final long ID = 0;
    private static final long TYPE = 4;
    private static final long FLAGS = 6;
    private static final long ADDRESS = 8;
    private static final long PAGES = 16;
    private static final long PAGE_SHIFT = 24;
    private static final int LAST = 1;
    private static final int INCOMPLETE = 2;

    /** The part of the bitmap that is looked at, of 4096 bytes. */
    private final MemorySegment part = MemorySegment.ofArray(new long[PART_WORDS]);

    private static final int PART_WORDS = 512;
    private static final long PART_BITS = PART_WORDS * (long) WORD;

    private final MemorySegment header = MemorySegment.ofArray(new byte[HEADER]);
    private long address;
    private long bits;
    private int shift;
    private int flags;
    private int id;

    /** The bit that the part begins with, and where in the part the next run is looked for. */
    private long partStart;

    private long partBits;
    private long next;
    private long runFirst;
    private long runBits;

    /** Takes the header of a chunk. Returns false if it is malformed (FPB-LIM-3): then nothing else may be asked. */
    boolean begin(DescriptorChain chain) {
        bits = 0;
        partStart = 0;
        partBits = 0;
        next = 0;
        if (chain.read(0, header) < HEADER || header.get(LE_SHORT, TYPE) != 0) {
            return false;
        }
        id = header.get(LE_INT, ID);
        flags = header.get(LE_SHORT, FLAGS);
        address = header.get(LE_LONG, ADDRESS);
        shift = Byte.toUnsignedInt(header.get(ValueLayout.JAVA_BYTE, PAGE_SHIFT));
        long claimed = header.get(LE_LONG, PAGES);
        if (shift < Pages.SHIFT
                || shift > BitmapRequest.MOST_SHIFT
                || (address & (1L << shift) - 1) != 0
                || Long.compareUnsigned(claimed, (chain.readableBytes() - HEADER) * Byte.SIZE) > 0
                || Long.compareUnsigned(claimed, (-1L >>> shift) + 1 - (address >>> shift)) > 0) {
            return false;
        }
        bits = claimed;
        return true;
    }

    int id() {
        return id;
    }

    boolean isLast() {
        return (flags & LAST) != 0;
    }

    boolean isIncomplete() {
        return (flags & INCOMPLETE) != 0;
    }

    /** Finds the next run of bits in the part that is looked at; at its end, returns false. */
    boolean nextRun() {
        runFirst = next(next, partBits, true);
        if (runFirst >= partBits) {
            return false;
        }
        next = next(runFirst, partBits, false);
        runBits = next - runFirst;
        return true;
    }

    /** The first page of 4096 bytes of the run that was found. */
    long runFirstPage() {
        return (address >>> Pages.SHIFT) + (partStart + runFirst << shift - Pages.SHIFT);
    }

    /** The run's pages of 4096 bytes. */
    long runPages() {
        return runBits << shift - Pages.SHIFT;
    }

    /** Copies the next part of the bitmap. Returns false if there is none. */
    boolean nextPart(DescriptorChain chain) {
        partStart += partBits;
        partBits = Math.min(bits - partStart, PART_BITS);
        next = 0;
        if (partBits == 0) {
            return false;
        }
        chain.read(HEADER + partStart / Byte.SIZE, part);
        return true;
    }

    @Override
    public long word(long index) {
        return part.getAtIndex(LE_LONG, index);
    }
}
