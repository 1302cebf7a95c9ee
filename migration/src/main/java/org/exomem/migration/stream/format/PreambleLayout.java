package org.exomem.migration.stream.format;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.UUID;
import java.util.zip.CRC32C;

/**
 * The first 64 bytes of every connection, in each direction. Numbers are little-endian.
 *
 * <pre>
 *  0 magic      8 bytes  "exomemmg"
 *  8 version    u16      the newest that this end speaks
 * 10 oldest     u16      the oldest that it speaks
 * 12 role       u16      0 main connection, 1 data connection
 * 14 channel    u16      of a data connection: its number
 * 16 offered    u64      features that this end can use
 * 24 required   u64      features that it can't do without
 * 32 migration  16 bytes which migration this connection belongs to
 * 48 sequence   u64      the number with which the other end's chunks must begin
 * 56 channels   u32      how many data connections there are
 * 60 checksum   u32      CRC-32C of bytes 0 to 59
 * 64 chunks
 * </pre>
 *
 * The magic, the two versions and the position of the checksum are the same in all versions (STR-PRE-1).
 */
final class PreambleLayout {
    static final int BYTES = 64;
    /** The bytes that the checksum covers. */
    static final int COVERED = 60;

    static final int MAGIC = 0;
    static final int VERSION = 8;
    static final int OLDEST = 10;
    static final int ROLE = 12;
    static final int CHANNEL = 14;
    static final int OFFERED = 16;
    static final int REQUIRED = 24;
    static final int MIGRATION = 32;
    static final int SEQUENCE = 48;
    static final int CHANNELS = 56;
    static final int CHECKSUM = 60;

    private PreambleLayout() {}

    static ByteBuffer allocate() {
        return ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
    }

    static int checksum(ByteBuffer preamble) {
        CRC32C crc = new CRC32C();
        crc.update(preamble.array(), 0, COVERED);
        return (int) crc.getValue();
    }

    static int u16(ByteBuffer preamble, int offset) {
        return Short.toUnsignedInt(preamble.getShort(offset));
    }

    /** Writes the bytes in the order of a UUID's text. */
    static void putMigration(ByteBuffer preamble, UUID migration) {
        preamble.putLong(MIGRATION, Long.reverseBytes(migration.getMostSignificantBits()));
        preamble.putLong(MIGRATION + Long.BYTES, Long.reverseBytes(migration.getLeastSignificantBits()));
    }

    static UUID migration(ByteBuffer preamble) {
        return new UUID(
                Long.reverseBytes(preamble.getLong(MIGRATION)),
                Long.reverseBytes(preamble.getLong(MIGRATION + Long.BYTES)));
    }
}
