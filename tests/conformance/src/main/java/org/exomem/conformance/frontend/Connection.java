package org.exomem.conformance.frontend;

import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.exomem.linux.Errno;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.MessageSocket;
import org.exomem.linux.Poll;

/**
 * Messages over one socket, as bytes. It sends exactly the given bytes, valid or not. For one thread at a time.
 *
 * <pre>
 *  0  u32 request
 *  4  u32 flags     bits 0-1 version, 2 reply, 3 need-reply
 *  8  u32 size      of the payload in bytes
 * 12  payload
 * </pre>
 */
public final class Connection implements AutoCloseable {
    public static final int HEADER_SIZE = 12;
    public static final int VERSION = 1;
    public static final int REPLY = 4;
    public static final int NEED_REPLY = 8;

    private final MessageSocket socket;
    private final Duration limit;
    private final Traffic traffic;

    /**
     * Takes ownership of a connected socket.
     *
     * @param limit the longest time to wait for one message, or for room to send one
     */
    public Connection(Fd fd, Duration limit) {
        this(fd, limit, Traffic.UNWATCHED);
    }

    /** Like {@link #Connection(Fd, Duration)}; {@code traffic} is notified of each message. */
    public Connection(Fd fd, Duration limit, Traffic traffic) {
        this.socket = new MessageSocket(fd);
        this.limit = limit;
        this.traffic = traffic;
    }

    /** The bytes of a message with its header. */
    public static byte[] encode(int request, int flags, byte[] payload) {
        return ByteBuffer.allocate(HEADER_SIZE + payload.length)
                .order(ByteOrder.nativeOrder())
                .putInt(request)
                .putInt(flags)
                .putInt(payload.length)
                .put(payload)
                .array();
    }

    /** Sends a message. The descriptors remain the caller's. */
    public void send(int request, int flags, byte[] payload, List<Fd> fds) throws IOException {
        sendBytes(encode(request, flags, payload), fds);
    }

    /** Sends any bytes, with descriptors attached to the first. The descriptors remain the caller's. */
    public void sendBytes(byte[] bytes, List<Fd> fds) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(bytes.length);
            copy.copyFrom(MemorySegment.ofArray(bytes));
            traffic.sent(bytes, fds.size());
            socket.send(copy, fds, (int) limit.toMillis());
        }
    }

    /**
     * Waits for the next message.
     *
     * @throws SocketTimeoutException if it did not come in time
     * @throws EOFException if the back-end closed the connection
     */
    public Reply receive() throws IOException {
        List<Fd> fds = new ArrayList<>();
        try {
            ByteBuffer header = read(HEADER_SIZE, fds);
            int request = header.getInt();
            int flags = header.getInt();
            int size = header.getInt();
            if (size < 0 || size > 1 << 20) {
                throw new IOException("the back-end sent request " + request + " of " + size + " bytes");
            }
            byte[] payload = read(size, fds).array();
            Reply message = new Reply(request, flags, payload, fds);
            traffic.received(message);
            return message;
        } catch (IOException e) {
            fds.forEach(Fd::close);
            throw e;
        }
    }

    private ByteBuffer read(int size, List<Fd> fds) throws IOException {
        byte[] bytes = new byte[size];
        long end = System.nanoTime() + limit.toNanos();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(Math.max(1, size));
            int have = 0;
            while (have < size) {
                if (!Poll.readable(socket.fd(), Duration.ofNanos(Math.max(0, end - System.nanoTime())))) {
                    throw new SocketTimeoutException("no message of the back-end within " + limit.toMillis() + " ms");
                }
                int received = socket.receive(buffer.asSlice(have, size - have), fds);
                if (received == 0) {
                    traffic.closed();
                    throw new EOFException("the back-end closed the connection");
                }
                have += Math.max(0, received);
            }
            MemorySegment.copy(buffer, 0, MemorySegment.ofArray(bytes), 0, size);
        }
        return ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
    }

    /** True if a message, or the end of the connection, arrives within the time. */
    public boolean awaitReadable(Duration time) throws LinuxException {
        return Poll.readable(socket.fd(), time);
    }

    /**
     * Waits until the back-end closes the connection. Discards what it still sends.
     *
     * @return false if it has not closed it within the limit
     */
    public boolean awaitClosed() throws IOException {
        try {
            while (true) {
                receive().fds().forEach(Fd::close);
            }
        } catch (EOFException e) {
            return true;
        } catch (SocketTimeoutException e) {
            return false;
        } catch (LinuxException e) {
            if (e.errno() == Errno.ECONNRESET) {
                return true;
            }
            throw e;
        }
    }

    /** The socket, to wait on together with others. */
    public Fd fd() {
        return socket.fd();
    }

    /** Shuts down both directions. The other side sees the end of the connection. */
    public void shutdown() {
        socket.shutdown();
    }

    @Override
    public void close() {
        socket.close();
    }
}
