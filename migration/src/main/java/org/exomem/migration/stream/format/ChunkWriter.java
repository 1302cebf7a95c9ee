package org.exomem.migration.stream.format;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.Wire;
import org.jspecify.annotations.Nullable;

/**
 * Writes one direction of one connection. Small chunks are gathered, so that a page needs no system call of its own. Large
 * content is written without a copy. Allocates nothing for a chunk. For one thread at a time, except where stated.
 */
public final class ChunkWriter {
    /** Bytes of a piece of content: large enough for the kernel, small enough for a cache. */
    public static final int PIECE = 1 << 18;

    /** Smaller content is copied beside its header, which costs less than another buffer for the kernel. */
    private static final int SMALL = 1 << 15;

    private static final int GATHERED = 1 << 18;

    private final Wire wire;
    private BandwidthLimit limit;
    private final @Nullable Compressor compressor;
    private final RoundDigest digest = new RoundDigest();
    private final CRC32C checksum = new CRC32C();
    private final CRC32 contentChecksum = new CRC32();
    private final ByteBuffer gathered;
    private final ByteBuffer[] gatheredOnly;
    private final ByteBuffer[] gatheredAndMore;
    private long sequence;
    private volatile long sent;
    /** When the present write to the wire began, by {@link System#nanoTime}, or 0. */
    private volatile long offered;

    private @Nullable ContentView view;

    /**
     * @param sequence the number of the first chunk
     * @param limit for the content
     * @param compressor null for no compression
     * @param roomy whether content will be written
     */
    public ChunkWriter(Wire wire, long sequence, BandwidthLimit limit, @Nullable Compressor compressor, boolean roomy) {
        this.wire = wire;
        this.sequence = sequence;
        this.limit = limit;
        this.compressor = compressor;
        this.gathered = ByteBuffer.allocateDirect(roomy ? GATHERED : ChunkHeader.BYTES + 2 * ChunkType.Limits.TEXT)
                .order(ByteOrder.LITTLE_ENDIAN);
        this.gatheredOnly = new ByteBuffer[] {gathered};
        this.gatheredAndMore = new ByteBuffer[] {gathered, gathered};
    }

    /** The bytes that were written to the wire, with headers. Any thread may call this. */
    public long sent() {
        return sent;
    }

    /** How long the present write to the wire has lasted, in ns. Any thread may call this. */
    public long stuckNanos() {
        long since = offered;
        return since == 0 ? 0 : System.nanoTime() - since;
    }

    /** Removes the bandwidth limit. */
    public void setUnlimited() {
        limit = new BandwidthLimit(BandwidthLimit.NONE);
    }

    public RoundDigest digest() {
        return digest;
    }

    /**
     * Sends pages, in as many chunks as necessary.
     *
     * @throws IOException if the wire fails
     */
    public void pages(long first, MemorySegment content, int pageSize) throws IOException {
        ContentView last = view;
        if (last == null || !last.isOf(content)) {
            last = new ContentView(content);
            view = last;
        }
        ByteBuffer bytes = last.bytes();
        int step = Math.max(PIECE / pageSize, 1) * pageSize;
        long size = content.byteSize();
        for (long at = 0; at < size; at += step) {
            int length = (int) Math.min(step, size - at);
            bytes.limit((int) at + length).position((int) at);
            piece(first + at / pageSize, length / pageSize, bytes);
        }
    }

    private void piece(long first, long count, ByteBuffer content) throws IOException {
        int start = content.position();
        contentChecksum.reset();
        contentChecksum.update(content);
        content.position(start);
        int flags = 0;
        ByteBuffer payload = content;
        if (compressor != null) {
            ByteBuffer smaller = compressor.compress(content);
            content.position(start);
            if (smaller != null) {
                payload = smaller;
                flags = ChunkHeader.COMPRESSED;
            }
        }
        chunk(ChunkType.PAGES, flags, first, count, payload, (int) contentChecksum.getValue());
    }

    /** Writes a chunk without payload. */
    public void chunk(ChunkType type, long first, long count) throws IOException {
        chunk(type, 0, first, count, null, 0);
    }

    /** Writes a chunk with a payload that is not compressed. */
    public void chunk(ChunkType type, long first, long count, ByteBuffer payload) throws IOException {
        int start = payload.position();
        contentChecksum.reset();
        if (type.isContent()) {
            contentChecksum.update(payload);
            payload.position(start);
        }
        chunk(type, 0, first, count, payload, (int) contentChecksum.getValue());
    }

    /** Writes several chunks in one step. */
    @FunctionalInterface
    public interface Saying {
        /** Writes the chunks; {@link #flush} sends them. */
        void to(ChunkWriter writer) throws IOException;
    }

    /** Sends the reason for giving up. */
    public void error(String text) throws IOException {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        chunk(ChunkType.ERROR, 0, 0, ByteBuffer.wrap(utf8, 0, Math.min(utf8.length, ChunkType.Limits.TEXT)));
        flush();
    }

    private void chunk(
            ChunkType type, int flags, long first, long count, @Nullable ByteBuffer payload, int contentChecksum)
            throws IOException {
        int length = payload == null ? 0 : payload.remaining();
        limit.take(ChunkHeader.BYTES + length);
        checksum.reset();
        if (payload != null) {
            int start = payload.position();
            checksum.update(payload);
            payload.position(start);
        }
        boolean small = length <= SMALL;
        if (gathered.remaining() < ChunkHeader.BYTES + (small ? length : 0)) {
            flush();
        }
        int at = gathered.position();
        ChunkHeader.put(gathered, at, type, flags, length, sequence++, first, count, (int) checksum.getValue());
        checksum.reset();
        gathered.limit(at + ChunkHeader.COVERED);
        checksum.update(gathered);
        gathered.limit(gathered.capacity());
        gathered.putInt((int) checksum.getValue());
        if (type.isContent()) {
            digest.add(gathered, at, contentChecksum);
        }
        if (payload == null) {
            return;
        }
        if (small && gathered.remaining() >= length) {
            gathered.put(payload);
        } else {
            gatheredAndMore[1] = payload;
            write(gatheredAndMore);
        }
    }

    /** Sends the gathered chunks. */
    public void flush() throws IOException {
        if (gathered.position() > 0) {
            write(gatheredOnly);
        }
    }

    private void write(ByteBuffer[] what) throws IOException {
        gathered.flip();
        long bytes = 0;
        for (ByteBuffer part : what) {
            bytes += part.remaining();
        }
        offered = System.nanoTime() | 1;
        try {
            wire.write(what);
        } finally {
            offered = 0;
            gathered.clear();
        }
        addSent(bytes);
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // one thread writes, others read
    private void addSent(long bytes) {
        sent += bytes;
    }

    /** The content as a buffer for the JDK's channels. Kept, because callers use the same content buffer again and again. */
    private static final class ContentView {
        private final MemorySegment content;
        private final ByteBuffer bytes;

        ContentView(MemorySegment content) {
            this.content = content;
            this.bytes = content.asByteBuffer();
        }

        boolean isOf(MemorySegment other) {
            return content.isNative()
                    && other.isNative()
                    && content.address() == other.address()
                    && content.byteSize() == other.byteSize()
                    && content.scope().equals(other.scope());
        }

        ByteBuffer bytes() {
            return bytes.clear();
        }
    }
}
