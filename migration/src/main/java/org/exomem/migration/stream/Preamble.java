package org.exomem.migration.stream;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.UUID;
import java.util.zip.CRC32C;

/**
 * What each end says first on every connection: the source, then the destination. Numbers are little-endian.
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
 * Magic, the two versions and the place of the checksum stay in all versions. See STR-PRE-1.
 *
 * @param sequence random: a recording of another connection does not fit
 */
record Preamble(
        int version,
        int oldest,
        Role role,
        int channel,
        long offered,
        long required,
        UUID migration,
        long sequence,
        int channels) {
    static final int BYTES = 64;
    /** The version of the format that this is. */
    static final int VERSION = 1;
    /** The most data connections. */
    static final int MOST_CHANNELS = 64;

    /** What a connection is for. */
    enum Role {
        MAIN,
        DATA
    }

    private static final byte[] MAGIC = "exomemmg".getBytes(StandardCharsets.US_ASCII);
    private static final int COVERED = 60;
    private static final int TLS_HANDSHAKE = 0x16;
    private static final int TLS_ALERT = 0x15;

    ByteBuffer encode() {
        ByteBuffer bytes = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.put(MAGIC)
                .putShort((short) version)
                .putShort((short) oldest)
                .putShort((short) role.ordinal())
                .putShort((short) channel)
                .putLong(offered)
                .putLong(required)
                .putLong(Long.reverseBytes(migration.getMostSignificantBits()))
                .putLong(Long.reverseBytes(migration.getLeastSignificantBits()))
                .putLong(sequence)
                .putInt(channels);
        CRC32C crc = new CRC32C();
        crc.update(bytes.array(), 0, COVERED);
        return bytes.putInt((int) crc.getValue()).flip();
    }

    void send(Wire wire) throws IOException {
        wire.write(new ByteBuffer[] {encode()});
    }

    /**
     * Waits for the other end's preamble.
     *
     * @param other what the other end is, for messages
     * @throws StreamFault if it is none, or one of a version that this end does not speak
     */
    static Preamble receive(Wire wire, String other) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(BYTES).order(ByteOrder.LITTLE_ENDIAN);
        while (bytes.hasRemaining()) {
            if (wire.read(bytes) < 0) {
                throw new EOFException("the " + other + " ended the connection after " + bytes.position() + " of "
                        + BYTES + " bytes of its preamble");
            }
            checkMagic(bytes, other);
        }
        CRC32C crc = new CRC32C();
        crc.update(bytes.array(), 0, COVERED);
        if ((int) crc.getValue() != bytes.getInt(COVERED)) {
            throw new StreamFault("the preamble of the " + other + " is damaged: its checksum is wrong");
        }
        return decode(bytes.flip(), other);
    }

    private static void checkMagic(ByteBuffer bytes, String other) throws StreamFault {
        int came = Math.min(bytes.position(), MAGIC.length);
        if (Arrays.equals(bytes.array(), 0, came, MAGIC, 0, came)) {
            return;
        }
        int first = Byte.toUnsignedInt(bytes.get(0));
        if (first == TLS_HANDSHAKE || first == TLS_ALERT) {
            throw new StreamFault(
                    "the " + other + " uses TLS, this end does not: give both ends certificates or a key");
        }
        throw new StreamFault("the " + other + " does not speak exomem's migration stream");
    }

    private static Preamble decode(ByteBuffer bytes, String other) throws StreamFault {
        int version = Short.toUnsignedInt(bytes.getShort(8));
        int oldest = Short.toUnsignedInt(bytes.getShort(10));
        if (oldest > VERSION || version < VERSION) {
            throw new StreamFault("the " + other + " speaks versions " + oldest + " to " + version
                    + " of the migration stream, this end speaks version " + VERSION
                    + ": use an exomem of the same age at both ends");
        }
        int role = Short.toUnsignedInt(bytes.getShort(12));
        int channel = Short.toUnsignedInt(bytes.getShort(14));
        int channels = bytes.getInt(56);
        if (role >= Role.values().length) {
            throw new StreamFault(
                    "the " + other + " says that the connection has role " + role + "; there are 0 and 1");
        }
        if (channels < 1 || channels > MOST_CHANNELS) {
            throw new StreamFault("the " + other + " wants " + Integer.toUnsignedString(channels)
                    + " data connections; there may be 1 to " + MOST_CHANNELS);
        }
        if (channel >= channels) {
            throw new StreamFault("the " + other + " says that this is data connection " + channel + " of " + channels);
        }
        return new Preamble(
                version,
                oldest,
                Role.values()[role],
                channel,
                bytes.getLong(16),
                bytes.getLong(24),
                new UUID(Long.reverseBytes(bytes.getLong(32)), Long.reverseBytes(bytes.getLong(40))),
                bytes.getLong(48),
                channels);
    }
}
