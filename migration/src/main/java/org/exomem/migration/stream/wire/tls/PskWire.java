package org.exomem.migration.stream.wire.tls;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import org.bouncycastle.tls.TlsProtocol;
import org.exomem.migration.stream.wire.Closing;
import org.exomem.migration.stream.wire.Wire;

/** A socket with BouncyCastle's TLS, which works on byte streams. */
final class PskWire implements Wire {
    /** The bytes of one system call. */
    private static final int BATCH = 1 << 18;

    private static final int PIECE = 1 << 16;

    private final SocketChannel socket;
    private final TlsProtocol protocol;
    private final Streams streams;
    private final String peer;
    private final byte[] outgoing = new byte[PIECE];
    private final byte[] incoming = new byte[PIECE];

    PskWire(SocketChannel socket, TlsProtocol protocol, Streams streams, String peer) {
        this.socket = socket;
        this.protocol = protocol;
        this.streams = streams;
        this.peer = peer;
        streams.out.batched = true;
    }

    /** The streams that BouncyCastle reads from and writes to. */
    static final class Streams {
        private final InputStream in;
        private final Batch out;

        Streams(SocketChannel socket) {
            this.in = new Received(socket);
            this.out = new Batch(socket);
        }

        InputStream in() {
            return in;
        }

        OutputStream out() {
            return out;
        }
    }

    /** Reads many records at a time. The JDK's stream of a channel would copy the bytes once more. */
    private static final class Received extends InputStream {
        private final SocketChannel socket;
        private final ByteBuffer bytes = ByteBuffer.allocateDirect(BATCH).limit(0);

        Received(SocketChannel socket) {
            this.socket = socket;
        }

        @Override
        public int read() throws IOException {
            return isAtEnd() ? -1 : bytes.get() & 0xff;
        }

        @Override
        public int read(byte[] into, int from, int most) throws IOException {
            if (most == 0) {
                return 0;
            }
            if (isAtEnd()) {
                return -1;
            }
            int count = Math.min(most, bytes.remaining());
            bytes.get(into, from, count);
            return count;
        }

        @Override
        public int available() {
            return bytes.remaining();
        }

        /** Waits for bytes if there are none. */
        private boolean isAtEnd() throws IOException {
            if (bytes.hasRemaining()) {
                return false;
            }
            try {
                return socket.read(bytes.clear()) < 0;
            } finally {
                bytes.flip();
            }
        }
    }

    /** Gathers records, because BouncyCastle flushes each of them. */
    private static final class Batch extends OutputStream {
        private final SocketChannel socket;
        private final ByteBuffer gathered = ByteBuffer.allocateDirect(2 * BATCH);
        private volatile boolean batched;

        Batch(SocketChannel socket) {
            this.socket = socket;
        }

        @Override
        public void write(int value) throws IOException {
            write(new byte[] {(byte) value}, 0, 1);
        }

        @Override
        public synchronized void write(byte[] bytes, int from, int length) throws IOException {
            for (int at = 0; at < length; ) {
                int piece = Math.min(length - at, gathered.remaining());
                gathered.put(bytes, from + at, piece);
                at += piece;
                if (gathered.position() >= BATCH) {
                    send();
                }
            }
        }

        @Override
        public void flush() throws IOException {
            if (!batched) {
                send();
            }
        }

        synchronized void send() throws IOException {
            gathered.flip();
            try {
                while (gathered.hasRemaining()) {
                    socket.write(gathered);
                }
            } finally {
                gathered.clear();
            }
        }
    }

    @Override
    public void write(ByteBuffer[] sources) throws IOException {
        for (ByteBuffer source : sources) {
            while (source.hasRemaining()) {
                int length = Math.min(source.remaining(), PIECE);
                source.get(outgoing, 0, length);
                protocol.writeApplicationData(outgoing, 0, length);
            }
        }
        streams.out.send();
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
        try {
            int length = protocol.readApplicationData(incoming, 0, Math.min(into.remaining(), PIECE));
            if (length > 0) {
                into.put(incoming, 0, length);
            }
            return length;
        } catch (IOException e) {
            throw PskSecurity.explained(e);
        }
    }

    @Override
    public void finishWriting() throws IOException {
        streams.out.send();
        socket.shutdownOutput();
    }

    @Override
    public String peer() {
        return peer;
    }

    @Override
    public void close() {
        Closing.quietly(socket);
    }
}
