package org.exomem.migration.stream.format;

import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import java.nio.ByteBuffer;
import org.exomem.migration.StreamFault;

/** Reverses a {@link Compressor}, for untrusted input. For one thread. Holds native memory until it is closed. */
public final class Decompressor implements AutoCloseable {
    private final ZstdDecompressCtx context = new ZstdDecompressCtx();
    private final ByteBuffer larger = ByteBuffer.allocateDirect(ChunkType.Limits.PAGES);

    /**
     * The original content, valid until the next call.
     *
     * @param payload direct
     * @param size the bytes that the content must have, at most those of a chunk of pages
     * @throws StreamFault if the payload is damaged or has another size
     */
    public ByteBuffer decompress(ByteBuffer payload, int size) throws StreamFault {
        larger.clear();
        try {
            int got = context.decompressDirectByteBuffer(
                    larger, 0, size, payload, payload.position(), payload.remaining());
            if (got != size) {
                throw new StreamFault(
                        "a compressed chunk has " + got + " bytes of pages, but its header states " + size);
            }
        } catch (ZstdException e) {
            throw new StreamFault(
                    "a compressed chunk that should have " + size + " bytes of pages is not a zstd frame of that size: "
                            + e.getMessage(),
                    e);
        }
        return larger.limit(size);
    }

    @Override
    public void close() {
        context.close();
    }
}
