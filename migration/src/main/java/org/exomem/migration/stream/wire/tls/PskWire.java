package org.exomem.migration.stream.wire.tls;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.security.GeneralSecurityException;
import javax.crypto.Cipher;
import org.bouncycastle.tls.AlertDescription;
import org.bouncycastle.tls.ContentType;
import org.bouncycastle.tls.HandshakeType;
import org.bouncycastle.tls.KeyUpdateRequest;
import org.bouncycastle.tls.TlsFatalAlertReceived;
import org.bouncycastle.tls.crypto.TlsSecret;
import org.exomem.migration.stream.wire.Quietly;
import org.exomem.migration.stream.wire.Wire;

/**
 * The records of a TLS 1.3 connection after its handshake (RFC 8446, section 5). BouncyCastle, which does the handshake, would
 * copy each record three times more in each direction than is needed. Here a record is encrypted where it lies, and many go to
 * the kernel, and come from it, in one call.
 *
 * <pre>
 * 0 type     u8   23
 * 1 version  u16  0x0303
 * 3 length   u16  of the rest, big-endian
 * 5 encrypted: content, its real type (u8), zeros; then the tag of 16 bytes
 * </pre>
 */
final class PskWire implements Wire {
    /** Bytes of a record's header. */
    static final int HEADER = 5;

    private static final int LENGTH = 3;
    private static final int MOST_CONTENT = 1 << 14;
    /** The most that a record may hold, encrypted. */
    private static final int MOST_ENCRYPTED = MOST_CONTENT + 256;

    /** Bytes for which the kernel is called once. */
    private static final int BATCH = 1 << 18;

    /**
     * The records after which the writer goes on to new keys: an eighth of the bytes for which section 5.5 trusts one key of
     * AES-GCM.
     */
    static final long RECORDS_OF_A_KEY = 1L << 21;

    private final SocketChannel socket;
    private final String peer;
    private final TrafficKeys writeKeys;
    private final TrafficKeys readKeys;
    private final long recordsOfAKey;
    /** On the heap: there the JDK's ciphers work in place. */
    private final ByteBuffer outgoing = ByteBuffer.allocate(BATCH);

    private final ByteBuffer incoming =
            ByteBuffer.allocate(BATCH + HEADER + MOST_ENCRYPTED).flip();
    /** The content of the last record that was decrypted, and what is left of it. */
    private final ByteBuffer content = ByteBuffer.allocate(MOST_ENCRYPTED).flip();
    /** The other end wants this one to go on to new keys. */
    private volatile boolean updateWanted;

    /**
     * @param socket connected; nothing of it was read or written after the handshake's last message
     * @param write the traffic secret of what this end sends
     * @param read the traffic secret of what it receives
     */
    PskWire(SocketChannel socket, String peer, TlsSecret write, TlsSecret read) {
        this(socket, peer, write, read, RECORDS_OF_A_KEY);
    }

    /** @param recordsOfAKey after which the writer goes on to new keys */
    PskWire(SocketChannel socket, String peer, TlsSecret write, TlsSecret read, long recordsOfAKey) {
        this.socket = socket;
        this.peer = peer;
        this.writeKeys = new TrafficKeys(write, Cipher.ENCRYPT_MODE);
        this.readKeys = new TrafficKeys(read, Cipher.DECRYPT_MODE);
        this.recordsOfAKey = recordsOfAKey;
    }

    @Override
    public void write(ByteBuffer[] sources) throws IOException {
        for (ByteBuffer source : sources) {
            while (source.hasRemaining()) {
                if (updateWanted || writeKeys.records() >= recordsOfAKey) {
                    updateKeys();
                }
                int length = Math.min(source.remaining(), MOST_CONTENT);
                int at = room(length);
                source.get(outgoing.array(), at + HEADER, length);
                record(at, length, ContentType.application_data);
            }
        }
        send();
    }

    /** Where the next record begins, which has so much content. */
    private int room(int length) throws IOException {
        if (outgoing.remaining() < HEADER + length + 1 + TrafficKeys.TAG) {
            send();
        }
        return outgoing.position();
    }

    /** Makes a record of content that is in its place. */
    private void record(int at, int length, short type) throws IOException {
        byte[] array = outgoing.array();
        int encrypted = length + 1 + TrafficKeys.TAG;
        array[at + HEADER + length] = (byte) type;
        outgoing.put(at, (byte) ContentType.application_data)
                .putShort(at + 1, (short) 0x0303)
                .putShort(at + LENGTH, (short) encrypted);
        try {
            writeKeys.apply(array, at, length + 1, array, at + HEADER);
        } catch (GeneralSecurityException e) {
            throw new IOException("encrypting failed: " + e.getMessage(), e);
        }
        outgoing.position(at + HEADER + encrypted);
    }

    /** Says that other keys follow, and goes on to them (section 4.6.3). */
    private void updateKeys() throws IOException {
        updateWanted = false;
        int at = room(Integer.BYTES + 1);
        outgoing.putInt(at + HEADER, HandshakeType.key_update << 24 | 1)
                .put(at + HEADER + Integer.BYTES, (byte) KeyUpdateRequest.update_not_requested);
        record(at, Integer.BYTES + 1, ContentType.handshake);
        writeKeys.update();
    }

    private void send() throws IOException {
        outgoing.flip();
        try {
            while (outgoing.hasRemaining()) {
                socket.write(outgoing);
            }
        } finally {
            outgoing.clear();
        }
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
        int start = into.position();
        do {
            if (!content.hasRemaining() && !next()) {
                break;
            }
            int length = Math.min(content.remaining(), into.remaining());
            into.put(content.array(), content.position(), length);
            content.position(content.position() + length);
            // What is here already, and fits, comes along.
        } while (into.position() == start || !content.hasRemaining() && into.hasRemaining() && isHere());
        return into.position() == start ? -1 : into.position() - start;
    }

    /** True if a whole record waits to be decrypted. */
    private boolean isHere() {
        return incoming.remaining() >= HEADER && incoming.remaining() >= HEADER + encrypted();
    }

    private int encrypted() {
        return Short.toUnsignedInt(incoming.getShort(incoming.position() + LENGTH));
    }

    /** Waits for the next record and decrypts it; false at the end. Its content may be empty. */
    private boolean next() throws IOException {
        if (!await(HEADER)) {
            if (incoming.hasRemaining()) {
                throw new EOFException("the connection ended within a TLS record: it was cut");
            }
            return false;
        }
        int at = incoming.position();
        int length = encrypted();
        if (incoming.get(at) != ContentType.application_data || length <= TrafficKeys.TAG || length > MOST_ENCRYPTED) {
            throw new IOException("the other end sent a TLS record of type " + incoming.get(at) + " and " + length
                    + " bytes, which no record has after the handshake");
        }
        if (!await(HEADER + length)) {
            throw new EOFException("the connection ended within a TLS record: it was cut");
        }
        int end;
        try {
            end = readKeys.apply(incoming.array(), incoming.position(), length, content.array(), 0);
        } catch (GeneralSecurityException e) {
            throw new IOException("a TLS record was changed on its way, or is not the one that was sent next", e);
        }
        incoming.position(incoming.position() + HEADER + length);
        return take(end);
    }

    /** Makes so many bytes lie in one piece; false if the stream ends before. */
    private boolean await(int bytes) throws IOException {
        if (incoming.remaining() >= bytes) {
            return true;
        }
        incoming.compact();
        try {
            while (incoming.position() < bytes) {
                if (socket.read(incoming) < 0) {
                    return false;
                }
            }
            return true;
        } finally {
            incoming.flip();
        }
    }

    /** Looks at a record's real type; false if it says that nothing more comes. */
    private boolean take(int end) throws IOException {
        byte[] array = content.array();
        int type = end - 1;
        while (type >= 0 && array[type] == 0) {
            type--;
        }
        if (type < 0) {
            throw new IOException("the other end sent a TLS record without a type");
        }
        content.clear().limit(0);
        switch (array[type]) {
            case ContentType.application_data -> content.limit(type);
            case ContentType.handshake -> handshake(type);
            case ContentType.alert -> {
                if (type == 2 && array[1] == AlertDescription.close_notify) {
                    return false;
                }
                throw PskSecurity.explained(new TlsFatalAlertReceived(array[1]));
            }
            default -> throw new IOException("the other end sent a TLS record of the unknown type " + array[type]);
        }
        return true;
    }

    /** New keys, which end a record; tickets for later connections are of no use to anybody. */
    private void handshake(int length) throws IOException {
        byte[] array = content.array();
        if (length == Integer.BYTES + 1 && array[0] == HandshakeType.key_update && array[LENGTH] == 1) {
            readKeys.update();
            updateWanted |= array[Integer.BYTES] == KeyUpdateRequest.update_requested;
        } else if (array[0] != HandshakeType.new_session_ticket) {
            throw new IOException(
                    "the other end sent a TLS handshake message of type " + array[0] + " after the handshake");
        }
    }

    @Override
    public void finishWriting() throws IOException {
        socket.shutdownOutput();
    }

    @Override
    public String peer() {
        return peer;
    }

    @Override
    public void close() {
        Quietly.close(socket);
    }

    /** The socket for the handshake, of which nothing more is read than what is asked for: the records after it are not its. */
    static InputStream exact(SocketChannel socket) {
        return new InputStream() {
            @Override
            public int read() throws IOException {
                byte[] one = new byte[1];
                return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
            }

            @Override
            public int read(byte[] bytes, int from, int length) throws IOException {
                return socket.read(ByteBuffer.wrap(bytes, from, length));
            }
        };
    }
}
