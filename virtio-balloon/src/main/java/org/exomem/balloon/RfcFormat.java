package org.exomem.balloon;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.function.LongSupplier;
import org.exomem.pages.Pages;
import org.exomem.vhostuser.virtqueue.DescriptorChain;

/**
 * The messages of the proposal of March 2016, with its meaning of feature bit 3 (spec/free-page-bitmap.md, "The format of
 * 2016").
 *
 * <pre>
 * request            answer
 *  0 le64 low_mem     0 le64 free_pages_count
 *                     8 le64 bitmap_bytes
 *                    16 u8   bitmap[bitmap_bytes]
 * </pre>
 *
 * Bit n stands for page n of RAM, not of guest-physical memory: what lies behind {@code low_mem} bytes of RAM begins at 4
 * GiB.
 */
final class RfcFormat implements BitmapFormat {
    private static final int REQUEST = 8;
    private static final int HEADER = 16;
    private static final long BITMAP_BYTES = 8;
    private static final ValueLayout.OfLong LE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final MemorySegment header = MemorySegment.ofArray(new byte[HEADER]);
    private final LongSupplier lowMemory;

    /** @param lowMemory the bytes of RAM below 4 GiB, 0 to 4 GiB */
    RfcFormat(LongSupplier lowMemory) {
        this.lowMemory = lowMemory;
    }

    @Override
    public int leastRequest() {
        return REQUEST;
    }

    @Override
    public int writeRequest(MemorySegment message, int room, int id, BitmapRequest request) {
        message.set(LE_LONG, 0, lowMemory.getAsLong());
        return REQUEST;
    }

    /** FPB-RFC-2, FPB-RFC-3: an answer has no id, and only its bitmap is used. */
    @Override
    public BitmapMessage begin(DescriptorChain chain, BitmapChunk chunk, int openId) {
        if (chain.read(0, header) < HEADER) {
            return BitmapMessage.MALFORMED;
        }
        long bytes = header.get(LE_LONG, BITMAP_BYTES);
        if (Long.compareUnsigned(bytes, chain.readableBytes() - HEADER) > 0) {
            return BitmapMessage.MALFORMED;
        }
        chunk.begin(openId, true, false, HEADER, 0, 0, bytes * Byte.SIZE);
        long low = lowMemory.getAsLong();
        chunk.leaveHole(Pages.floor(low), Pages.floor(PcMemory.FOUR_GIB - low));
        return BitmapMessage.CHUNK;
    }

    @Override
    public boolean answersAreRequestBuffers() {
        return true;
    }

    @Override
    public boolean tellsWanted() {
        return false;
    }
}
