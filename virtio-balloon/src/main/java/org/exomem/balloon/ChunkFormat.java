package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import org.exomem.pages.Pages;
import org.exomem.vhostuser.virtqueue.DescriptorChain;

/**
 * The messages of spec/free-page-bitmap.md.
 *
 * <pre>
 * request                          chunk
 *  0 le32 id                        0 le32 id
 *  4 u8   page_shift                4 le16 type          0; 1: {@link DescriptorMessage}
 *  5 u8   reserved[3]               6 le16 flags         1 LAST, 2 INCOMPLETE
 *  8 le32 ranges                    8 le64 address       of the first page
 * 12 le32 reserved                 16 le64 pages         bits
 * 16 le64 reserved                 24 u8   page_shift
 * 24 { le64 address,               25 u8   reserved[7]
 *      le64 length } ranges        32 u8   bitmap[(pages + 7) / 8]
 *                                     le32 wanted        device-writable
 * </pre>
 */
final class ChunkFormat implements BitmapFormat {
    private static final int REQUEST_HEADER = 24;
    private static final int RANGE_BYTES = 16;
    private static final int HEADER = 32;

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
    private static final long REQUEST_PAGE_SHIFT = 4;
    private static final long REQUEST_RANGES = 8;
    private static final short TYPE_CHUNK = 0;
    private static final short TYPE_DESCRIPTORS = 1;
    private static final int LAST = 1;
    private static final int INCOMPLETE = 2;

    private final MemorySegment header = MemorySegment.ofArray(new byte[HEADER]);

    @Override
    public int leastRequest() {
        return REQUEST_HEADER;
    }

    @Override
    public int writeRequest(MemorySegment message, int room, int id, BitmapRequest request) {
        List<BitmapRequest.Range> ranges = request.ranges();
        if (REQUEST_HEADER + (long) ranges.size() * RANGE_BYTES > room) {
            // FPB-REQ-4
            ranges = List.of();
        }
        message.asSlice(0, REQUEST_HEADER).fill((byte) 0);
        message.set(LE_INT, ID, id);
        message.set(ValueLayout.JAVA_BYTE, REQUEST_PAGE_SHIFT, (byte) request.pageShift());
        message.set(LE_INT, REQUEST_RANGES, ranges.size());
        long at = REQUEST_HEADER;
        for (BitmapRequest.Range range : ranges) {
            message.set(LE_LONG, at, range.address());
            message.set(LE_LONG, at + Long.BYTES, range.length());
            at += RANGE_BYTES;
        }
        return (int) at;
    }

    /** FPB-LIM-3 */
    @Override
    public BitmapMessage begin(DescriptorChain chain, BitmapChunk chunk, int openId) {
        if (chain.read(0, header) < HEADER) {
            return BitmapMessage.MALFORMED;
        }
        return switch (header.get(LE_SHORT, TYPE)) {
            case TYPE_CHUNK -> beginChunk(chain.readableBytes(), chunk);
            case TYPE_DESCRIPTORS -> BitmapMessage.DESCRIPTORS;
            default -> BitmapMessage.MALFORMED;
        };
    }

    private BitmapMessage beginChunk(long readableBytes, BitmapChunk chunk) {
        long address = header.get(LE_LONG, ADDRESS);
        long pages = header.get(LE_LONG, PAGES);
        int shift = Byte.toUnsignedInt(header.get(ValueLayout.JAVA_BYTE, PAGE_SHIFT));
        if (shift < Pages.SHIFT
                || shift > BitmapRequest.MOST_SHIFT
                || (address & (1L << shift) - 1) != 0
                || Long.compareUnsigned(pages, (readableBytes - HEADER) * Byte.SIZE) > 0
                || Long.compareUnsigned(pages, (-1L >>> shift) + 1 - (address >>> shift)) > 0) {
            return BitmapMessage.MALFORMED;
        }
        int flags = header.get(LE_SHORT, FLAGS);
        chunk.begin(
                header.get(LE_INT, ID),
                (flags & LAST) != 0,
                (flags & INCOMPLETE) != 0,
                HEADER,
                Pages.floor(address),
                shift - Pages.SHIFT,
                pages);
        return BitmapMessage.CHUNK;
    }

    @Override
    public boolean answersAreRequestBuffers() {
        return false;
    }

    @Override
    public boolean tellsWanted() {
        return true;
    }
}
