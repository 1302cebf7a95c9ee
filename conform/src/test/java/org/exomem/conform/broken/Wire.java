package org.exomem.conform.broken;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.exomem.conformance.frontend.Connection;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.MessageSocket;
import org.jspecify.annotations.Nullable;

/**
 * One end of a connection: whole messages where possible, and bytes where a message stays incomplete, so that truncated
 * data arrives as it was sent. For one thread.
 */
final class Wire implements AutoCloseable {
    private static final int LARGEST = 1 << 16;
    private static final long PATIENCE_NANOS = 2_000_000;
    /** Header and payload. */
    private static final int AT_MOST_WHOLE = 2;

    private static final int SEND_MILLIS = 1000;

    private final MessageSocket socket;
    private final MemorySegment chunk = Arena.ofAuto().allocate(LARGEST);
    private byte[] buffer = new byte[Connection.HEADER_SIZE];
    private int have;
    private int passedOn;
    private List<Fd> fds = new ArrayList<>();
    private int receives;
    private boolean raw;
    private boolean ended;
    private long lastBytes;

    /** What has arrived. */
    sealed interface Part {}

    /**
     * A whole message.
     *
     * @param inPieces true if it did not arrive at once
     */
    record Whole(Message message, boolean inPieces) implements Part {}

    /** Bytes of an incomplete message, or of one with an impossible size. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Piece(byte[] bytes, List<Fd> fds) implements Part {}

    /** The other side has closed the connection. */
    record End() implements Part {}

    Wire(Fd fd) {
        socket = new MessageSocket(fd);
    }

    Fd fd() {
        return socket.fd();
    }

    /** True if something must be passed on after a while, even if nothing more arrives. */
    boolean isWaiting() {
        return have > passedOn;
    }

    /** The next part, or null if there is none now. */
    @Nullable
    Part next() throws LinuxException {
        while (!ended) {
            int wanted = raw ? LARGEST : wanted() - have;
            int received = socket.receive(chunk.asSlice(0, Math.min(LARGEST, wanted)), fds);
            if (received == MessageSocket.WOULD_BLOCK) {
                return isWaiting() && System.nanoTime() - lastBytes > PATIENCE_NANOS ? piece() : null;
            }
            if (received == 0) {
                ended = true;
                return isWaiting() || !fds.isEmpty() ? piece() : new End();
            }
            lastBytes = System.nanoTime();
            receives++;
            byte[] bytes = chunk.asSlice(0, received).toArray(ValueLayout.JAVA_BYTE);
            if (raw) {
                return new Piece(bytes, takeFds());
            }
            Part part = add(bytes);
            if (part != null) {
                return part;
            }
        }
        return new End();
    }

    private int wanted() {
        return have < Connection.HEADER_SIZE ? Connection.HEADER_SIZE : Connection.HEADER_SIZE + header(8);
    }

    private int header(int offset) {
        return ByteBuffer.wrap(buffer).order(ByteOrder.nativeOrder()).getInt(offset);
    }

    private @Nullable Part add(byte[] bytes) {
        if (buffer.length < have + bytes.length) {
            buffer = Arrays.copyOf(buffer, Math.max(have + bytes.length, wanted()));
        }
        System.arraycopy(bytes, 0, buffer, have, bytes.length);
        have += bytes.length;
        if (have < Connection.HEADER_SIZE) {
            return null;
        }
        int size = header(8);
        if (size < 0 || size > LARGEST) {
            raw = true;
            return piece();
        }
        if (have < Connection.HEADER_SIZE + size) {
            return null;
        }
        Part part = passedOn > 0
                ? piece()
                : new Whole(
                        new Message(
                                header(0),
                                header(4),
                                size,
                                Arrays.copyOfRange(buffer, Connection.HEADER_SIZE, have),
                                takeFds()),
                        receives > AT_MOST_WHOLE);
        have = 0;
        receives = 0;
        passedOn = 0;
        return part;
    }

    private Piece piece() {
        Piece piece = new Piece(Arrays.copyOfRange(buffer, passedOn, have), takeFds());
        passedOn = have;
        return piece;
    }

    private List<Fd> takeFds() {
        List<Fd> taken = fds;
        fds = new ArrayList<>();
        return taken;
    }

    /** Sends a message and closes its descriptors. */
    void send(Message message) throws LinuxException {
        send(message.encode(), message.fds());
    }

    /** Sends bytes, with descriptors attached to the first, which are closed. */
    void send(byte[] bytes, List<Fd> attached) throws LinuxException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(Math.max(1, bytes.length));
            MemorySegment.copy(bytes, 0, copy, ValueLayout.JAVA_BYTE, 0, bytes.length);
            socket.send(copy.asSlice(0, bytes.length), attached, SEND_MILLIS);
        } finally {
            attached.forEach(Fd::close);
        }
    }

    @Override
    public void close() {
        takeFds().forEach(Fd::close);
        socket.close();
    }
}
