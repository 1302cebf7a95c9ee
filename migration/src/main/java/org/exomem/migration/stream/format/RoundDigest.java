package org.exomem.migration.stream.format;

import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;

/**
 * The digest that both ends compute of the content of one connection in one round: the SHA-256 of a record for each chunk,
 * in order. A record is the chunk's header and the CRC-32 of its content before compression. So the content is covered by
 * two checksums of different polynomials. The cost is negligible compared to the copying. See STR-DIG-1.
 */
public final class RoundDigest {
    /** The size of a digest. */
    public static final int BYTES = 32;

    private static final int RECORD = ChunkHeader.BYTES + Integer.BYTES;
    private static final int RECORDS = 64;

    private final MessageDigest sha = sha256();
    private final byte[] records = new byte[RECORD * RECORDS];
    private int used;
    private boolean empty = true;

    /**
     * Adds a chunk.
     *
     * @param header has the complete header at position {@code at}
     * @param contentChecksum the CRC-32 of its uncompressed content; 0 without content
     */
    public void add(ByteBuffer header, int at, int contentChecksum) {
        header.get(at, records, used, ChunkHeader.BYTES);
        int end = used + ChunkHeader.BYTES;
        for (int i = 0; i < Integer.BYTES; i++) {
            records[end + i] = (byte) (contentChecksum >>> 8 * i);
        }
        used += RECORD;
        empty = false;
        if (used == records.length) {
            sha.update(records);
            used = 0;
        }
    }

    /** True if no chunk was added since the last digest. */
    public boolean isEmpty() {
        return empty;
    }

    /** Returns the digest of this round, and begins the next one. */
    public byte[] finish() {
        sha.update(records, 0, used);
        reset();
        return sha.digest();
    }

    /** Drops the round. */
    public void forget() {
        sha.reset();
        reset();
    }

    private void reset() {
        used = 0;
        empty = true;
    }

    /** The digest of all rounds: of the digest before and of the digests of the data connections. */
    public static byte[] chain(byte[] before, List<byte[]> channels) {
        MessageDigest sha = sha256();
        sha.update(before);
        channels.forEach(sha::update);
        return sha.digest();
    }

    /** The digest before the first round. */
    public static byte[] none() {
        return new byte[BYTES];
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
