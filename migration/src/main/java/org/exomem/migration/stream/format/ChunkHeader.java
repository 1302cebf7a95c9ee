package org.exomem.migration.stream.format;

import java.nio.ByteBuffer;

/**
 * The bytes before a chunk's payload. Numbers are little-endian.
 *
 * <pre>
 *  0 type      u8
 *  1 flags     u8    bit 0: the payload is compressed with zstd
 *  2 reserved  u16   0
 *  4 length    u32   bytes of payload
 *  8 sequence  u64   one more than the chunk before on this connection, in this direction
 * 16 first     u64   by type: a page, a round, a device's number
 * 24 count     u64   by type: pages, an offset
 * 32 payload   u32   CRC-32C of the payload
 * 36 header    u32   CRC-32C of bytes 0 to 35
 * 40 payload
 * </pre>
 *
 * See STR-CHUNK-1.
 */
public final class ChunkHeader {
    public static final int BYTES = 40;
    /** The bytes covered by the header's own checksum. */
    public static final int COVERED = 36;

    public static final int TYPE = 0;
    public static final int FLAGS = 1;
    public static final int RESERVED = 2;
    public static final int LENGTH = 4;
    public static final int SEQUENCE = 8;
    public static final int FIRST = 16;
    public static final int COUNT = 24;
    public static final int PAYLOAD_CHECKSUM = 32;
    public static final int HEADER_CHECKSUM = 36;

    public static final int COMPRESSED = 1;

    private ChunkHeader() {}

    /** Writes a header without its own checksum at position {@code at} of a little-endian buffer. */
    public static void put(
            ByteBuffer into,
            int at,
            ChunkType type,
            int flags,
            int length,
            long sequence,
            long first,
            long count,
            int payloadChecksum) {
        into.put(at + TYPE, (byte) type.number);
        into.put(at + FLAGS, (byte) flags);
        into.putShort(at + RESERVED, (short) 0);
        into.putInt(at + LENGTH, length);
        into.putLong(at + SEQUENCE, sequence);
        into.putLong(at + FIRST, first);
        into.putLong(at + COUNT, count);
        into.putInt(at + PAYLOAD_CHECKSUM, payloadChecksum);
    }
}
