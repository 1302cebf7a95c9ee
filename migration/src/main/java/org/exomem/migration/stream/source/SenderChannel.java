package org.exomem.migration.stream.source;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import org.exomem.migration.PageSink;
import org.exomem.migration.stream.format.ChunkType;
import org.exomem.migration.stream.format.ChunkWriter;
import org.exomem.migration.stream.format.Compressor;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.jspecify.annotations.Nullable;

/** One data connection of the source. After a lost connection it gets a new one. */
final class SenderChannel implements PageSink {
    private final MemoryDescription memory;
    private final long pages;
    private final @Nullable Compressor compressor;
    private final BandwidthLimit limit;
    private volatile @Nullable SourceLink link;
    private volatile @Nullable ChunkWriter writer;
    private volatile long sentBefore;

    SenderChannel(MemoryDescription memory, @Nullable Compressor compressor, BandwidthLimit limit) {
        this.memory = memory;
        this.pages = memory.pages();
        this.compressor = compressor;
        this.limit = limit;
    }

    /** Sends everything to this connection from now on. */
    void attach(SourceLink newLink, Greeting connection) {
        ChunkWriter old = writer;
        sentBefore += old == null ? 0 : old.sent();
        ChunkWriter now = new ChunkWriter(connection.wire(), connection.theirs().sequence(), limit, compressor, true);
        newLink.add(now);
        writer = now;
        link = newLink;
    }

    @Override
    public void pages(long first, MemorySegment content) throws IOException {
        long count = content.byteSize() / memory.pageSize();
        check(first, count);
        if (count * memory.pageSize() != content.byteSize()) {
            throw new IllegalArgumentException(
                    content.byteSize() + " bytes are not a whole number of pages of " + memory.pageSize());
        }
        say(writer -> writer.pages(first, content, memory.pageSize()));
    }

    @Override
    public void zeros(long first, long count) throws IOException {
        check(first, count);
        say(writer -> writer.chunk(ChunkType.ZEROS, first, count));
    }

    @Override
    public void free(long first, long count) throws IOException {
        check(first, count);
        say(writer -> writer.chunk(ChunkType.FREE, first, count));
    }

    /**
     * Announces that this connection has sent all of a round; returns its digest.
     *
     * @throws IOException if the connection is lost
     */
    byte[] endRound(long round) throws IOException {
        ChunkWriter current = connected();
        byte[] digest = current.digest().finish();
        say(writer -> {
            writer.chunk(ChunkType.ROUND_END, round, 0, ByteBuffer.wrap(digest));
            writer.flush();
        });
        return digest;
    }

    /**
     * Announces that nothing more will be sent on this connection.
     *
     * @throws IOException if the connection is lost
     */
    void end(long rounds) throws IOException {
        say(writer -> {
            writer.chunk(ChunkType.END, rounds, 0);
            writer.flush();
        });
    }

    /**
     * Waits until the bandwidth limit allows bytes that were sent without it.
     *
     * @throws IOException if the thread is interrupted
     */
    void payFor(long bytes) throws IOException {
        limit.take(bytes);
    }

    /** Sends without the bandwidth limit from now on, because threads wait for these pages. */
    void setUnlimited() {
        connected().setUnlimited();
    }

    /**
     * Sends the gathered chunks.
     *
     * @throws IOException if the connection is lost
     */
    void flush() throws IOException {
        say(ChunkWriter::flush);
    }

    long sent() {
        ChunkWriter current = writer;
        return sentBefore + (current == null ? 0 : current.sent());
    }

    private void say(ChunkWriter.Saying saying) throws IOException {
        try {
            saying.to(connected());
        } catch (IOException e) {
            SourceLink current = link;
            throw current == null ? e : current.because(e);
        }
    }

    private ChunkWriter connected() {
        ChunkWriter current = writer;
        if (current == null) {
            throw new IllegalStateException("not connected");
        }
        return current;
    }

    private void check(long first, long count) {
        if (first < 0 || count < 1 || first > pages - count) {
            throw new IllegalArgumentException(
                    count + " pages from " + first + " are not in a memory of " + pages + " pages");
        }
    }

    void close() {
        if (compressor != null) {
            compressor.close();
        }
    }
}
