package org.exomem.migration.stream.wire.tls;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.concurrent.locks.ReentrantLock;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLEngineResult.Status;
import javax.net.ssl.SSLException;
import org.exomem.migration.stream.wire.Closing;
import org.exomem.migration.stream.wire.Wire;

/**
 * A socket with the JDK's TLS. One system call sends or receives many records. With a call for each record, the calls would
 * cost more than the encryption.
 */
final class TlsWire implements Wire {
    /** The bytes that are encrypted before a system call, and that are requested at a time. */
    private static final int BATCH = 1 << 18;

    private final SocketChannel socket;
    private final SSLEngine engine;
    private final ByteBuffer outgoing;
    private final ByteBuffer incoming;
    /** Decrypted bytes for which the reader's buffer had no room. */
    private final ByteBuffer leftOver;
    /** The reader writes too when the peer requests new keys. */
    private final ReentrantLock writing = new ReentrantLock();

    private final ByteBuffer[] nothing = {ByteBuffer.allocate(0)};
    private volatile String peer = "";

    TlsWire(SocketChannel socket, SSLEngine engine) {
        this.socket = socket;
        this.engine = engine;
        int record = engine.getSession().getPacketBufferSize();
        // On the heap, where the JDK's ciphers work in place without a copy.
        this.outgoing = ByteBuffer.allocate(BATCH + record);
        this.incoming = ByteBuffer.allocate(BATCH + record).flip();
        this.leftOver = ByteBuffer.allocate(engine.getSession().getApplicationBufferSize())
                .flip();
    }

    /**
     * Waits until both ends have authenticated each other.
     *
     * @throws IOException if the handshake fails
     */
    void handshake() throws IOException {
        try {
            engine.beginHandshake();
            for (HandshakeStatus next = engine.getHandshakeStatus();
                    next != HandshakeStatus.FINISHED && next != HandshakeStatus.NOT_HANDSHAKING; ) {
                next = switch (next) {
                    case NEED_TASK -> runTasks();
                    case NEED_WRAP -> wrap(nothing, true).getHandshakeStatus();
                    default -> receive();
                };
            }
        } catch (SSLException e) {
            sendAlert();
            throw explained(e);
        } catch (EOFException e) {
            throw e;
        } catch (IOException e) {
            throw new IOException("the connection broke during the TLS handshake: " + e.getMessage(), e);
        }
    }

    void setPeer(String name) {
        peer = name;
    }

    private HandshakeStatus runTasks() {
        for (Runnable task = engine.getDelegatedTask(); task != null; task = engine.getDelegatedTask()) {
            task.run();
        }
        return engine.getHandshakeStatus();
    }

    /** A step of a handshake that waits for the peer. */
    private HandshakeStatus receive() throws IOException {
        SSLEngineResult result = unwrap(leftOver.compact());
        leftOver.flip();
        if (result.getStatus() == Status.CLOSED) {
            throw new EOFException("the other end ended the TLS connection during the handshake");
        }
        return result.getHandshakeStatus();
    }

    /** Sends the alert with the reason of a failure, which the engine has prepared. */
    private void sendAlert() {
        try {
            for (int i = 0; i < 3 && engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP; i++) {
                wrap(nothing, true);
            }
            socket.shutdownOutput();
        } catch (IOException e) {
            Closing.quietly(socket);
        }
    }

    static IOException explained(SSLException e) {
        String message = String.valueOf(e.getMessage());
        if (message.contains("nrecognized SSL message")) {
            return new IOException(
                    "the other end does not use TLS, but this end does: use certificates or a key at both ends", e);
        }
        if (message.contains("Received fatal alert")) {
            // TLS sends only a code for the reason. The other end has reported the details to its own user.
            return new IOException(
                    "the other end rejected this end's certificate, or does not accept its TLS ("
                            + message.replaceFirst(".*Received fatal alert: ", "alert ")
                            + "); its log shows the reason",
                    e);
        }
        if (message.contains("Empty client certificate chain")) {
            return new IOException(
                    "the source has no certificate of a CA that this end trusts: both ends need certificates"
                            + " of the same CA",
                    e);
        }
        return new IOException("TLS failed, so the other end can't be trusted: " + message, e);
    }

    @Override
    public void write(ByteBuffer[] sources) throws IOException {
        writing.lock();
        try {
            for (ByteBuffer source : sources) {
                while (source.hasRemaining()) {
                    wrap(sources, false);
                }
            }
            send();
        } finally {
            writing.unlock();
        }
    }

    private SSLEngineResult wrap(ByteBuffer[] sources, boolean now) throws IOException {
        writing.lock();
        try {
            if (outgoing.position() >= BATCH) {
                send();
            }
            SSLEngineResult result = engine.wrap(sources, outgoing);
            if (result.getStatus() == Status.CLOSED && result.bytesProduced() == 0) {
                throw new EOFException("the other end ended the TLS connection");
            }
            if (result.getStatus() == Status.BUFFER_OVERFLOW) {
                send();
            }
            if (now) {
                send();
            }
            return result;
        } finally {
            writing.unlock();
        }
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
        try {
            int start = into.position();
            while (into.position() == start) {
                if (leftOver.hasRemaining()) {
                    take(into);
                } else if (!readRecords(into)) {
                    return -1;
                }
            }
            return into.position() - start;
        } catch (SSLException e) {
            throw explained(e);
        }
    }

    private void take(ByteBuffer into) {
        int length = Math.min(leftOver.remaining(), into.remaining());
        into.put(into.position(), leftOver, leftOver.position(), length);
        into.position(into.position() + length);
        leftOver.position(leftOver.position() + length);
    }

    /** Decrypts the received records, and waits for one if there is none; false at the end. */
    private boolean readRecords(ByteBuffer into) throws IOException {
        do {
            boolean roomy = into.remaining() >= leftOver.capacity();
            ByteBuffer target = roomy ? into : leftOver.clear();
            SSLEngineResult result = unwrap(target);
            if (!roomy) {
                leftOver.flip();
            }
            if (result.getStatus() == Status.CLOSED) {
                return false;
            }
            if (result.getHandshakeStatus() == HandshakeStatus.NEED_TASK) {
                runTasks();
            }
            if (engine.getHandshakeStatus() == HandshakeStatus.NEED_WRAP) {
                wrap(nothing, true);
            }
            if (!roomy) {
                return true;
            }
        } while (holdsRecord() && into.remaining() >= leftOver.capacity());
        return true;
    }

    /** True if a complete record was received. */
    private boolean holdsRecord() {
        int at = incoming.position();
        return incoming.remaining() >= 5 && incoming.remaining() >= 5 + Short.toUnsignedInt(incoming.getShort(at + 3));
    }

    /** Decrypts one record, and waits until it is complete. */
    private SSLEngineResult unwrap(ByteBuffer target) throws IOException {
        while (true) {
            SSLEngineResult result = engine.unwrap(incoming, target);
            if (result.getStatus() != Status.BUFFER_UNDERFLOW) {
                return result;
            }
            incoming.compact();
            try {
                if (socket.read(incoming) < 0) {
                    throw new EOFException("the connection ended without a TLS close_notify: it was cut");
                }
            } finally {
                incoming.flip();
            }
        }
    }

    @Override
    public void finishWriting() throws IOException {
        writing.lock();
        try {
            engine.closeOutbound();
            while (!engine.isOutboundDone() && engine.wrap(nothing, outgoing).bytesProduced() > 0) {
                send();
            }
            socket.shutdownOutput();
        } finally {
            writing.unlock();
        }
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
