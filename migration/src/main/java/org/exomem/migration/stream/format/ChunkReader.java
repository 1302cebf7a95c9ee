package org.exomem.migration.stream.format;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.wire.Wire;

/**
 * Reads one direction of one connection. A chunk is returned only when it is complete and its checksums are right. Until
 * then only its length is used, which the header's own checksum covers (STR-CHUNK-1, STR-CHUNK-2). Allocates nothing for a
 * chunk. For one thread.
 */
public final class ChunkReader {
    /** The number of chunks that fit in the buffer. With more, fewer chunks cross the buffer's end, and reads are larger. */
    private static final int CHUNKS = 2;

    private final Wire wire;
    private final RoundDigest digest = new RoundDigest();
    private final CRC32C checksum = new CRC32C();
    private final CRC32 contentChecksum = new CRC32();
    private final ByteBuffer buffer;
    private final ByteBuffer payload;
    private final int most;
    private long sequence;
    /** The received bytes that were not returned yet: from here to the buffer's position. */
    private int start;

    private int header;
    private ChunkType type = ChunkType.ALIVE;

    /**
     * @param sequence the number that the first chunk must have
     * @param most the largest payload, in bytes
     */
    public ChunkReader(Wire wire, long sequence, int most) {
        this.wire = wire;
        this.sequence = sequence;
        this.most = most;
        this.buffer =
                ByteBuffer.allocateDirect(CHUNKS * (ChunkHeader.BYTES + most)).order(ByteOrder.LITTLE_ENDIAN);
        this.payload = buffer.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * Waits for the next chunk. The data of the chunk before becomes invalid.
     *
     * @return false if the stream ended between two chunks
     * @throws StreamFault if the data is no chunk, or not the next one
     * @throws EOFException if the stream ended within a chunk
     */
    public boolean next() throws IOException {
        if (!await(ChunkHeader.BYTES)) {
            if (buffer.position() != start) {
                throw new EOFException("the connection ended within a chunk");
            }
            return false;
        }
        type = checkHeader(start);
        int length = buffer.getInt(start + ChunkHeader.LENGTH);
        if (!await(ChunkHeader.BYTES + length)) {
            throw new EOFException("the connection ended within a chunk: " + (buffer.position() - start) + " of "
                    + (ChunkHeader.BYTES + length) + " bytes arrived");
        }
        header = start;
        start += ChunkHeader.BYTES + length;
        payload.limit(start).position(header + ChunkHeader.BYTES);
        checkPayload();
        sequence++;
        return true;
    }

    private ChunkType checkHeader(int at) throws StreamFault {
        checksum.reset();
        payload.limit(at + ChunkHeader.COVERED).position(at);
        checksum.update(payload);
        if ((int) checksum.getValue() != buffer.getInt(at + ChunkHeader.HEADER_CHECKSUM)) {
            throw new StreamFault("the header of chunk " + position() + " is damaged: its checksum is wrong");
        }
        int number = Byte.toUnsignedInt(buffer.get(at + ChunkHeader.TYPE));
        ChunkType known = ChunkType.of(number);
        if (known == null) {
            throw new StreamFault("chunk " + position() + " is of type " + number + ", which is unknown");
        }
        long found = buffer.getLong(at + ChunkHeader.SEQUENCE);
        // STR-CHUNK-3
        if (found != sequence && known != ChunkType.ERROR) {
            throw new StreamFault(
                    "chunk " + position() + " (" + known + ") has an unexpected sequence number: it differs by "
                            + (found - sequence)
                            + " from the expected one. A chunk was lost, duplicated or reordered, or this is the"
                            + " recording of another stream");
        }
        int flags = buffer.get(at + ChunkHeader.FLAGS);
        if ((flags & ~(known == ChunkType.PAGES ? ChunkHeader.COMPRESSED : 0)) != 0
                || buffer.getShort(at + ChunkHeader.RESERVED) != 0) {
            throw new StreamFault("chunk " + position() + " (" + known + ") has flags set that were not negotiated");
        }
        int length = buffer.getInt(at + ChunkHeader.LENGTH);
        if (length < known.least || length > known.most || length > most) {
            throw new StreamFault("chunk " + position() + " (" + known + ") has a length of "
                    + Integer.toUnsignedString(length) + " bytes; it must have " + known.least + " to "
                    + Math.min(known.most, most));
        }
        return known;
    }

    private void checkPayload() throws StreamFault {
        int from = payload.position();
        checksum.reset();
        checksum.update(payload);
        payload.position(from);
        if ((int) checksum.getValue() != buffer.getInt(header + ChunkHeader.PAYLOAD_CHECKSUM)) {
            throw new StreamFault("chunk " + position() + " (" + type + ") is damaged: the checksum of its "
                    + payload.remaining() + " bytes is wrong");
        }
    }

    /** The number of the present chunk for messages, counted from 0. */
    private String position() {
        return Long.toUnsignedString(sequence);
    }

    /** Reads until this number of bytes is contiguous from {@link #start}; false if the stream ends before. */
    private boolean await(int bytes) throws IOException {
        if (start + bytes > buffer.capacity() || start == buffer.position()) {
            buffer.limit(buffer.position()).position(start);
            buffer.compact();
            start = 0;
        }
        while (buffer.position() - start < bytes) {
            if (wire.read(buffer) < 0) {
                return false;
            }
        }
        return true;
    }

    public ChunkType type() {
        return type;
    }

    public long first() {
        return buffer.getLong(header + ChunkHeader.FIRST);
    }

    public long count() {
        return buffer.getLong(header + ChunkHeader.COUNT);
    }

    public boolean isCompressed() {
        return (buffer.get(header + ChunkHeader.FLAGS) & ChunkHeader.COMPRESSED) != 0;
    }

    /** The payload; invalid after {@link #next}. */
    public ByteBuffer payload() {
        return payload.limit(start).position(header + ChunkHeader.BYTES);
    }

    /** The payload as text, without characters that could confuse a terminal. */
    public String text() {
        return ForeignText.plain(StandardCharsets.UTF_8.decode(payload()).toString());
    }

    /** Adds the chunk to the digest of this round, after it was used. */
    public void count(ByteBuffer content) {
        int from = content.position();
        contentChecksum.reset();
        contentChecksum.update(content);
        content.position(from);
        digest.add(buffer, header, content.hasRemaining() ? (int) contentChecksum.getValue() : 0);
    }

    public RoundDigest digest() {
        return digest;
    }
}
