package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.exomem.pages.PageDescriptors;
import org.exomem.pages.Pages;
import org.exomem.vhostuser.virtqueue.DescriptorChain;

/**
 * A message with page descriptors (spec/free-page-bitmap.md, "Settled at a pause"), and how far it was read. One object is
 * filled again by each message. Every byte is copied once, before it is used (FPB-OWN-1).
 *
 * <pre>
 *  0 le32 id            0                    32 { le64 address
 *  4 le16 type          1                         le32 mask
 *  6 le16 flags         0                         le32 value } guards
 *  8 u8   page_shift                            { le64 address
 *  9 u8   most_order                              le64 pages
 * 10 le16 stride                                  le64 descriptors
 * 12 le16 mark_offset                             le32 guards
 * 14 le16 order_offset                            le32 reserved } ranges
 * 16 le32 mark_mask                               le32 wanted      device-writable
 * 20 le32 mark_value
 * 24 le16 guards
 * 26 le16 reserved
 * 28 le32 ranges
 * </pre>
 */
final class DescriptorMessage {
    private static final int HEADER = 32;
    private static final int GUARD_BYTES = 16;
    private static final int RANGE_BYTES = 32;
    private static final int MOST_GUARDS = 32;
    private static final int MOST_ORDER = 30;
    private static final int LEAST_STRIDE = 4;
    private static final int MOST_STRIDE = 4096;
    /** The number of ranges copied at once. */
    static final int PART_RANGES = 128;

    private static final ValueLayout.OfShort LE_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final long PAGE_SHIFT = 8;
    private static final long ORDER = 9;
    private static final long STRIDE = 10;
    private static final long MARK_OFFSET = 12;
    private static final long ORDER_OFFSET = 14;
    private static final long MARK_MASK = 16;
    private static final long MARK_VALUE = 20;
    private static final long GUARDS = 24;
    private static final long RANGES = 28;
    private static final long GUARD_MASK = 8;
    private static final long GUARD_VALUE = 12;
    private static final long RANGE_PAGES = 8;
    private static final long RANGE_DESCRIPTORS = 16;
    private static final long RANGE_GUARDS = 24;

    private static final MemorySegment NO_PART = MemorySegment.ofArray(new byte[0]);

    private final MemorySegment header = MemorySegment.ofArray(new byte[HEADER]);
    /** A part of the ranges, or all guards. There only while a message is read: few drivers ever send one. */
    private MemorySegment part = NO_PART;

    private List<PageDescriptors.Guard> guards = List.of();
    private List<PageDescriptors.Range> ranges = List.of();
    private int allRanges;
    private int pageShift;
    private int stride;

    /**
     * Begins with a message: reads everything but the ranges (FPB-DESC-7).
     *
     * @param mostRanges the most ranges that it may have
     * @param mostGuards the most guards that it may have
     * @return false if it is malformed, or has more
     */
    boolean begin(DescriptorChain chain, int mostRanges, int mostGuards) {
        drop();
        if (chain.read(0, header) < HEADER) {
            return false;
        }
        int guardCount = Short.toUnsignedInt(header.get(LE_SHORT, GUARDS));
        long rangeCount = Integer.toUnsignedLong(header.get(LE_INT, RANGES));
        pageShift = Byte.toUnsignedInt(header.get(ValueLayout.JAVA_BYTE, PAGE_SHIFT));
        stride = Short.toUnsignedInt(header.get(LE_SHORT, STRIDE));
        if (pageShift < Pages.SHIFT
                || pageShift > BitmapRequest.MOST_SHIFT
                || mostOrder() > MOST_ORDER
                || stride < LEAST_STRIDE
                || stride > MOST_STRIDE
                || markOffset() > stride - Integer.BYTES
                || orderOffset() > stride - Integer.BYTES
                || header.get(LE_INT, MARK_MASK) == 0
                || guardCount == 0
                || guardCount > Math.min(MOST_GUARDS, mostGuards)
                || rangeCount > mostRanges
                || HEADER + (long) guardCount * GUARD_BYTES + rangeCount * RANGE_BYTES > chain.readableBytes()) {
            return false;
        }
        allRanges = (int) rangeCount;
        part = MemorySegment.ofArray(new byte[PART_RANGES * RANGE_BYTES]);
        readGuards(chain, guardCount);
        ranges = new ArrayList<>();
        return true;
    }

    private int mostOrder() {
        return Byte.toUnsignedInt(header.get(ValueLayout.JAVA_BYTE, ORDER));
    }

    private int markOffset() {
        return Short.toUnsignedInt(header.get(LE_SHORT, MARK_OFFSET));
    }

    private int orderOffset() {
        return Short.toUnsignedInt(header.get(LE_SHORT, ORDER_OFFSET));
    }

    private void readGuards(DescriptorChain chain, int count) {
        chain.read(HEADER, part.asSlice(0, (long) count * GUARD_BYTES));
        guards = new ArrayList<>(count);
        for (long at = 0; guards.size() < count; at += GUARD_BYTES) {
            guards.add(new PageDescriptors.Guard(
                    part.get(LE_LONG, at), part.get(LE_INT, at + GUARD_MASK), part.get(LE_INT, at + GUARD_VALUE)));
        }
    }

    /** True if all ranges were read. */
    boolean isWhole() {
        return ranges.size() == allRanges;
    }

    /**
     * Reads the next {@link #PART_RANGES} ranges, or the remaining ones.
     *
     * @return false if one of them is malformed (FPB-DESC-7)
     */
    boolean readOn(DescriptorChain chain) {
        int count = Math.min(PART_RANGES, allRanges - ranges.size());
        long from = HEADER + (long) guards.size() * GUARD_BYTES + (long) ranges.size() * RANGE_BYTES;
        chain.read(from, part.asSlice(0, (long) count * RANGE_BYTES));
        for (int i = 0; i < count; i++) {
            long at = (long) i * RANGE_BYTES;
            PageDescriptors.Range range = new PageDescriptors.Range(
                    part.get(LE_LONG, at),
                    part.get(LE_LONG, at + RANGE_PAGES),
                    part.get(LE_LONG, at + RANGE_DESCRIPTORS),
                    part.get(LE_INT, at + RANGE_GUARDS));
            if (isMalformed(range)) {
                return false;
            }
            ranges.add(range);
        }
        return true;
    }

    private boolean isMalformed(PageDescriptors.Range range) {
        long address = range.address();
        // Shifted as a long, because there may be 32 guards.
        long unknownGuards = Integer.toUnsignedLong(range.guards()) >>> guards.size();
        return (address & (1L << pageShift) - 1) != 0
                || Long.compareUnsigned(range.pages(), (-1L >>> pageShift) + 1 - (address >>> pageShift)) > 0
                || Long.compareUnsigned(range.pages(), elementsFrom(range.descriptors())) > 0
                || range.guards() == 0
                || unknownGuards != 0;
    }

    /** The number of descriptors from an address up to 2^64. */
    private long elementsFrom(long address) {
        // 2^64 - address does not fit a long for 0; ~address is smaller by one.
        long whole = Long.divideUnsigned(~address, stride);
        return Long.remainderUnsigned(~address, stride) == stride - 1 ? whole + 1 : whole;
    }

    /** The content of the message, if it {@linkplain #isWhole is whole}. */
    PageDescriptors descriptors() {
        return new PageDescriptors(
                pageShift,
                mostOrder(),
                stride,
                markOffset(),
                orderOffset(),
                header.get(LE_INT, MARK_MASK),
                header.get(LE_INT, MARK_VALUE),
                guards,
                ranges);
    }

    /** Forgets the message. */
    void drop() {
        guards = List.of();
        ranges = List.of();
        allRanges = 0;
        part = NO_PART;
    }
}
