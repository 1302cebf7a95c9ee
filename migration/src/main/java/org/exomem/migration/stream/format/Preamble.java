package org.exomem.migration.stream.format;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.UUID;
import org.exomem.migration.StreamFault;
import org.exomem.migration.stream.wire.Wire;

/**
 * The first message of each end on every connection: first the source's, then the destination's. {@link PreambleLayout}
 * defines the bytes.
 *
 * @param version the newest version that the end supports
 * @param oldest the oldest version that it supports
 * @param role the role of the connection
 * @param channel the number of a data connection, from 0; 0 for the main connection
 * @param offered features that the end supports, see {@link StreamFeature#bits}
 * @param required features that it requires
 * @param migration the id of the migration
 * @param sequence the number with which the other end's chunks begin; random, so that a recording of another connection does
 *     not fit (STR-PRE-5)
 * @param channels the number of data connections, 1 to {@link #MOST_CHANNELS}
 */
public record Preamble(
        int version,
        int oldest,
        Role role,
        int channel,
        long offered,
        long required,
        UUID migration,
        long sequence,
        int channels) {
    /** The size of a preamble. */
    public static final int BYTES = PreambleLayout.BYTES;
    /** The version of this format. */
    public static final int VERSION = 1;
    /** The most data connections. */
    public static final int MOST_CHANNELS = 64;

    /** The role of a connection. */
    public enum Role {
        /** Negotiation, device states, and the end. */
        MAIN(0),
        /** Pages. */
        DATA(1);

        private final int number;

        Role(int number) {
            this.number = number;
        }

        private static Role of(int number, String other) throws StreamFault {
            for (Role role : values()) {
                if (role.number == number) {
                    return role;
                }
            }
            throw new StreamFault("the " + other + " sent role " + number + " for the connection; must be 0 or 1");
        }
    }

    private static final byte[] MAGIC = "exomemmg".getBytes(StandardCharsets.US_ASCII);
    private static final int TLS_HANDSHAKE = 0x16;
    private static final int TLS_ALERT = 0x15;

    /** Returns the bytes of the preamble. */
    public ByteBuffer encode() {
        ByteBuffer bytes = PreambleLayout.allocate();
        bytes.put(PreambleLayout.MAGIC, MAGIC)
                .putShort(PreambleLayout.VERSION, (short) version)
                .putShort(PreambleLayout.OLDEST, (short) oldest)
                .putShort(PreambleLayout.ROLE, (short) role.number)
                .putShort(PreambleLayout.CHANNEL, (short) channel)
                .putLong(PreambleLayout.OFFERED, offered)
                .putLong(PreambleLayout.REQUIRED, required)
                .putLong(PreambleLayout.SEQUENCE, sequence)
                .putInt(PreambleLayout.CHANNELS, channels);
        PreambleLayout.putMigration(bytes, migration);
        return bytes.putInt(PreambleLayout.CHECKSUM, PreambleLayout.checksum(bytes));
    }

    /**
     * Sends the preamble, and waits until the other end takes it.
     *
     * @throws IOException if the wire fails
     */
    public void send(Wire wire) throws IOException {
        wire.write(new ByteBuffer[] {encode()});
    }

    /**
     * Waits for the other end's preamble.
     *
     * @param other the name of the other end, for messages
     * @throws StreamFault if it is no preamble, or of a version that this end does not support
     * @throws IOException if the connection ends
     */
    public static Preamble receive(Wire wire, String other) throws IOException {
        ByteBuffer bytes = PreambleLayout.allocate();
        while (bytes.hasRemaining()) {
            if (wire.read(bytes) < 0) {
                throw new EOFException("the " + other + " ended the connection after " + bytes.position() + " of "
                        + BYTES + " bytes of its preamble");
            }
            checkMagic(bytes, other);
        }
        if (PreambleLayout.checksum(bytes) != bytes.getInt(PreambleLayout.CHECKSUM)) {
            throw new StreamFault("the preamble of the " + other + " is damaged: its checksum is wrong");
        }
        return decode(bytes, other);
    }

    private static void checkMagic(ByteBuffer bytes, String other) throws StreamFault {
        int came = Math.min(bytes.position(), MAGIC.length);
        if (Arrays.equals(bytes.array(), 0, came, MAGIC, 0, came)) {
            return;
        }
        int first = Byte.toUnsignedInt(bytes.get(0));
        if (first == TLS_HANDSHAKE || first == TLS_ALERT) {
            throw new StreamFault(
                    "the " + other + " uses TLS, but this end does not: use certificates or a key at both ends");
        }
        throw new StreamFault("the " + other + " does not use exomem's migration stream");
    }

    private static Preamble decode(ByteBuffer bytes, String other) throws StreamFault {
        int version = PreambleLayout.u16(bytes, PreambleLayout.VERSION);
        int oldest = PreambleLayout.u16(bytes, PreambleLayout.OLDEST);
        // STR-PRE-2
        if (oldest > VERSION || version < VERSION) {
            throw new StreamFault("the " + other + " supports versions " + oldest + " to " + version
                    + " of the migration stream, this end supports version " + VERSION
                    + ": use the same version of exomem at both ends");
        }
        Role role = Role.of(PreambleLayout.u16(bytes, PreambleLayout.ROLE), other);
        int channel = PreambleLayout.u16(bytes, PreambleLayout.CHANNEL);
        int channels = bytes.getInt(PreambleLayout.CHANNELS);
        if (channels < 1 || channels > MOST_CHANNELS) {
            throw new StreamFault("the " + other + " requests " + Integer.toUnsignedString(channels)
                    + " data connections; must be 1 to " + MOST_CHANNELS);
        }
        if (channel >= channels) {
            throw new StreamFault(
                    "the " + other + " sent number " + channel + " for one of " + channels + " data connections");
        }
        return new Preamble(
                version,
                oldest,
                role,
                channel,
                bytes.getLong(PreambleLayout.OFFERED),
                bytes.getLong(PreambleLayout.REQUIRED),
                PreambleLayout.migration(bytes),
                bytes.getLong(PreambleLayout.SEQUENCE),
                channels);
    }
}
