package org.exomem.migration.stream.format;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdCompressCtx;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Compresses content with zstd if that saves an eighth (STR-CHUNK-7). For one thread. Holds native memory until it is
 * closed, which any thread may do.
 */
public final class Compressor implements AutoCloseable {
    /** The fastest of zstd's ordinary levels, because networks are fast. */
    private static final int LEVEL = 1;

    private final ZstdCompressCtx context = new ZstdCompressCtx().setLevel(LEVEL);
    private final ByteBuffer smaller = ByteBuffer.allocateDirect((int) Zstd.compressBound(ChunkType.Limits.PAGES));
    private @Nullable ByteBuffer direct;
    private boolean closed;

    /** The compressed content, valid until the next call. Null if that is not smaller by an eighth, or this is closed. */
    @Nullable
    public synchronized ByteBuffer compress(ByteBuffer content) {
        if (closed) {
            return null;
        }
        ByteBuffer source = content.isDirect() ? content : directCopy(content);
        int length = source.remaining();
        smaller.clear();
        int compressed =
                context.compressDirectByteBuffer(smaller, 0, smaller.capacity(), source, source.position(), length);
        return compressed < length - length / 8 ? smaller.limit(compressed) : null;
    }

    private ByteBuffer directCopy(ByteBuffer content) {
        ByteBuffer copy = direct;
        if (copy == null) {
            copy = ByteBuffer.allocateDirect(ChunkType.Limits.PAGES);
            direct = copy;
        }
        return copy.clear().put(content).flip();
    }

    @Override
    public synchronized void close() {
        closed = true;
        context.close();
    }
}
