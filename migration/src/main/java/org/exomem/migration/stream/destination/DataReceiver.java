package org.exomem.migration.stream.destination;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import org.exomem.migration.DestinationFault;
import org.exomem.migration.PageSink;
import org.exomem.migration.PeerFault;
import org.exomem.migration.StreamFault;
import org.exomem.migration.pager.Urgency;
import org.exomem.migration.stream.format.ChunkReader;
import org.exomem.migration.stream.format.ChunkType;
import org.exomem.migration.stream.format.Decompressor;
import org.exomem.migration.stream.format.Phase;
import org.exomem.migration.stream.format.RoundDigest;
import org.exomem.migration.stream.format.StreamFeature;
import org.jspecify.annotations.Nullable;

/**
 * The destination's end of one data connection. Applies chunks in their order, each completely or not at all (STR-RND-1).
 * For one thread.
 */
final class DataReceiver {
    private final ReceivingSession session;
    private final ReceivingLink link;
    private final int channel;
    private final ChunkReader reader;
    private PageSink target;
    private final int pageSize;
    private final long pages;
    private boolean onlyOwed;

    DataReceiver(ReceivingSession session, ReceivingLink link, int channel, ChunkReader reader) {
        this.session = session;
        this.link = link;
        this.channel = channel;
        this.reader = reader;
        this.target = session.target();
        this.pageSize = session.memory().pageSize();
        this.pages = session.memory().pages();
    }

    /**
     * Receives until everything has arrived.
     *
     * @throws IOException if the connection, the stream or the destination fails
     */
    void run() throws IOException {
        if (!link.features.contains(StreamFeature.ZSTD)) {
            receive(null);
            return;
        }
        try (Decompressor decompressor = new Decompressor()) {
            receive(decompressor);
        }
    }

    private void receive(@Nullable Decompressor decompressor) throws IOException {
        // A source that has connected again for owed pages has sent everything else (STR-PST-7).
        if (session.phase() == Phase.RECEIVING) {
            receiveRounds(decompressor);
        }
        PageSink owed = link.features.contains(StreamFeature.POSTCOPY) ? session.awaitOwing(link) : null;
        if (owed != null) {
            target = owed;
            onlyOwed = true;
            receiveOwed(decompressor);
        }
    }

    private void receiveRounds(@Nullable Decompressor decompressor) throws IOException {
        while (reader.next()) {
            switch (reader.type()) {
                case PAGES -> session.inRound(() -> pages(decompressor));
                case ZEROS, FREE -> session.inRound(() -> run(reader.type()));
                case ROUND_END -> endRound();
                case END -> {
                    end();
                    return;
                }
                default -> throw unexpected();
            }
        }
        throw new EOFException("the source ended data connection " + channel);
    }

    /** STR-PST-5 */
    private void receiveOwed(@Nullable Decompressor decompressor) throws IOException {
        if (channel == 0) {
            // STR-PST-4: threads wait for all pages of this connection.
            Urgency.first();
        }
        while (reader.next()) {
            switch (reader.type()) {
                case PAGES -> pages(decompressor);
                case ZEROS -> run(ChunkType.ZEROS);
                default -> throw unexpected();
            }
        }
        if (!session.isDone()) {
            throw new EOFException("the source ended data connection " + channel);
        }
    }

    private IOException unexpected() {
        return reader.type() == ChunkType.ERROR
                ? new PeerFault("the source ended the migration: " + reader.text())
                // STR-CHUNK-4
                : new StreamFault("the source sent " + reader.type() + " on data connection " + channel);
    }

    private void pages(@Nullable Decompressor decompressor) throws IOException {
        long first = reader.first();
        long count = reader.count();
        ByteBuffer payload = reader.payload();
        if (count < 1 || count > ChunkType.Limits.PAGES / pageSize) {
            throw new StreamFault("a chunk has " + Long.toUnsignedString(count) + " pages; it must have 1 to "
                    + ChunkType.Limits.PAGES / pageSize);
        }
        checkInside(first, count);
        // STR-CHUNK-6, STR-CHUNK-7
        int size = (int) count * pageSize;
        ByteBuffer content = payload;
        if (reader.isCompressed()) {
            if (decompressor == null || payload.remaining() >= size) {
                throw new StreamFault("a chunk is compressed although it must not be");
            }
            content = decompressor.decompress(payload, size);
        } else if (payload.remaining() != size) {
            throw new StreamFault(
                    "a chunk of " + count + " pages of " + pageSize + " bytes has " + payload.remaining() + " bytes");
        }
        reader.count(content);
        try {
            target.pages(first, MemorySegment.ofBuffer(content));
        } catch (IOException e) {
            throw new DestinationFault("the destination can't store " + count + " pages from " + first, e);
        }
        session.counts().add(ChunkType.PAGES, count);
    }

    private void run(ChunkType type) throws IOException {
        long first = reader.first();
        long count = reader.count();
        checkInside(first, count);
        reader.count(reader.payload());
        try {
            // STR-MEM-5
            if (type == ChunkType.ZEROS) {
                target.zeros(first, count);
            } else {
                target.free(first, count);
            }
        } catch (IOException e) {
            throw new DestinationFault("the destination can't clear " + count + " pages from " + first, e);
        }
        session.counts().add(type, count);
    }

    /** STR-CHUNK-5 */
    private void checkInside(long first, long count) throws StreamFault {
        if (first < 0 || count < 1 || count > pages || first > pages - count) {
            throw new StreamFault("a chunk is for " + Long.toUnsignedString(count) + " pages from "
                    + Long.toUnsignedString(first) + ", outside of a memory of " + pages + " pages");
        }
        if (onlyOwed) {
            session.expectOwed(first, count);
        }
    }

    private void endRound() throws IOException {
        byte[] theirs = new byte[RoundDigest.BYTES];
        reader.payload().get(theirs);
        byte[] mine = reader.digest().finish();
        if (!MessageDigest.isEqual(mine, theirs)) {
            throw new StreamFault("the data received in round " + reader.first() + " on data connection " + channel
                    + " differs from the sent data: their digests differ");
        }
        session.endRound(link, channel, reader.first(), mine);
    }

    private void end() throws StreamFault {
        if (!reader.digest().isEmpty() || reader.payload().hasRemaining()) {
            throw new StreamFault("data connection " + channel + " ended within a round");
        }
        session.end(link, channel, reader.first());
    }
}
