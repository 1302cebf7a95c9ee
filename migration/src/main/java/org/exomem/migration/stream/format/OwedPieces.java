package org.exomem.migration.stream.format;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.exomem.migration.StreamFault;
import org.exomem.pages.BitWords;
import org.exomem.pages.PageBits;

/**
 * The owed pages as OWED chunks (STR-PST-2). A piece has a bit for each of {@code count} pages from {@code first} on, in
 * words of 64. {@code first} is a multiple of 64, and bits after the last page are 0. Pieces come in ascending order; those
 * without a page are left out. The last chunk has no piece: its {@code first} is the number of all owed pages.
 */
public final class OwedPieces {
    private static final int WORDS = ChunkType.Limits.CONTROL / Long.BYTES;

    private final PageBits owed;
    private long behind;
    private boolean complete;

    /**
     * Begins without owed pages.
     *
     * @param pages the number of pages of the memory
     */
    public OwedPieces(long pages) {
        this.owed = new PageBits(pages);
    }

    /**
     * Writes and flushes all pieces.
     *
     * @throws IOException if the wire fails
     */
    public static void write(PageBits owed, ChunkWriter writer) throws IOException {
        ByteBuffer piece = ByteBuffer.allocate(ChunkType.Limits.CONTROL).order(ByteOrder.LITTLE_ENDIAN);
        for (int from = 0; from < owed.words(); from += WORDS) {
            int words = Math.min(WORDS, owed.words() - from);
            long any = 0;
            piece.clear();
            for (int i = 0; i < words; i++) {
                long word = owed.word(from + i);
                any |= word;
                piece.putLong(word);
            }
            if (any != 0) {
                long first = (long) from * BitWords.WORD;
                long count = Math.min((long) words * BitWords.WORD, owed.pages() - first);
                writer.chunk(ChunkType.OWED, first, count, piece.flip());
            }
        }
        writer.chunk(ChunkType.OWED, owed.count(), 0);
        writer.flush();
    }

    /**
     * Processes the next chunk.
     *
     * @return true if it was the last one
     * @throws StreamFault if it does not follow the chunks before, or names pages that do not exist
     */
    public boolean take(long first, long count, ByteBuffer payload) throws StreamFault {
        if (complete) {
            throw fault("a piece came after the last one");
        }
        if (count == 0 && !payload.hasRemaining()) {
            if (first != owed.count()) {
                throw fault(
                        Long.toUnsignedString(first) + " pages are owed in total, but " + owed.count() + " were named");
            }
            complete = true;
            return true;
        }
        ByteBuffer words = payload.order(ByteOrder.LITTLE_ENDIAN);
        if (first < behind || first % BitWords.WORD != 0 || count < 1 || first > owed.pages() - count) {
            throw fault("pieces of " + Long.toUnsignedString(count) + " pages from " + Long.toUnsignedString(first)
                    + " don't follow page " + behind + " of " + owed.pages());
        }
        int expected = (int) Math.min(WORDS + 1L, BitWords.index(count - 1) + 1);
        if (words.remaining() != expected * Long.BYTES) {
            throw fault("a piece of " + count + " pages has " + words.remaining() + " bytes");
        }
        int index = (int) BitWords.index(first);
        for (int i = 0; i < expected; i++) {
            long word = words.getLong();
            boolean last = i == expected - 1 && count % BitWords.WORD != 0;
            if (last && word >>> count != 0) {
                throw fault("a piece names pages after its last one");
            }
            owed.orWord(index + i, word);
        }
        behind = first + count;
        return false;
    }

    /** True if a chunk was received. */
    public boolean hasBegun() {
        return complete || behind > 0;
    }

    /** True if the last chunk was received. */
    public boolean isComplete() {
        return complete;
    }

    /** The pages that were received. */
    public PageBits owed() {
        return owed;
    }

    private static StreamFault fault(String what) {
        return new StreamFault("the description of the owed pages is invalid: " + what);
    }
}
