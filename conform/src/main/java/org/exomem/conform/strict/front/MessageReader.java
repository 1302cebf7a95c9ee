package org.exomem.conform.strict.front;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.exomem.conformance.frontend.Connection;
import org.exomem.conformance.frontend.Reply;
import org.exomem.conformance.frontend.Traffic;
import org.exomem.linux.Errno;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.MessageSocket;
import org.exomem.linux.Poll;

/** Reads a front-end's messages, and records at which byte descriptors came. For one thread. */
public final class MessageReader {
    /** A size in bytes far above that of any request. The reader gives up on a message that claims more. */
    private static final int LARGEST = 1 << 16;

    private final MessageSocket socket;
    private final Traffic traffic;
    private final Duration patience;

    /** The outcome of a read. */
    public sealed interface Read {}

    /** A whole message. */
    public record Whole(FrontEndMessage message) implements Read {}

    /**
     * Not a whole message; nothing after it can be understood.
     *
     * @param why a sentence
     */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    public record Broken(String why, byte[] bytes) implements Read {}

    /** The front-end has closed the connection between two messages. */
    public record End() implements Read {}

    /** @param patience how long to wait for the rest of a message that has begun */
    public MessageReader(MessageSocket socket, Traffic traffic, Duration patience) {
        this.socket = socket;
        this.traffic = traffic;
        this.patience = patience;
    }

    /** Reads the message that has begun to arrive. */
    public Read read() throws IOException {
        List<Fd> fds = new ArrayList<>();
        byte[] header = new byte[Connection.HEADER_SIZE];
        int first = fill(header, 0, 1, fds);
        if (first == 0) {
            traffic.closed();
            return new End();
        }
        int withFirst = fds.size();
        int have = 1 + fill(header, 1, header.length - 1, fds);
        if (have < header.length) {
            return broken("a header ended after " + have + " of 12 bytes", header, have, fds);
        }
        ByteBuffer fields = ByteBuffer.wrap(header).order(ByteOrder.nativeOrder());
        int size = fields.getInt(8);
        if (size < 0 || size > LARGEST) {
            return broken(
                    "a header says that " + Integer.toUnsignedString(size) + " bytes of payload follow",
                    header,
                    have,
                    fds);
        }
        byte[] payload = new byte[size];
        int got = fill(payload, 0, size, fds);
        if (got < size) {
            return broken(
                    "a header says that " + size + " bytes of payload follow; " + got + " arrived", header, have, fds);
        }
        FrontEndMessage message = new FrontEndMessage(
                fields.getInt(0), fields.getInt(4), size, payload, List.copyOf(fds), fds.size() - withFirst);
        traffic.received(new Reply(message.request(), message.flags(), payload, message.fds()));
        return new Whole(message);
    }

    private static Broken broken(String why, byte[] bytes, int count, List<Fd> fds) {
        fds.forEach(Fd::close);
        return new Broken(why, ByteBuffer.allocate(count).put(bytes, 0, count).array());
    }

    /**
     * Reads until all bytes are there, the front-end has closed, or it sends nothing more. Returns the number of bytes
     * that came.
     */
    private int fill(byte[] into, int offset, int count, List<Fd> fds) throws IOException {
        int have = 0;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(Math.max(1, count));
            while (have < count && Poll.readable(socket.fd(), patience)) {
                int received = receive(buffer.asSlice(have, count - have), fds);
                if (received == 0) {
                    break;
                }
                have += Math.max(0, received);
            }
            MemorySegment.copy(buffer, ValueLayout.JAVA_BYTE, 0, into, offset, have);
        }
        return have;
    }

    private int receive(MemorySegment into, List<Fd> fds) throws LinuxException {
        try {
            return socket.receive(into, fds);
        } catch (LinuxException e) {
            if (e.errno() == Errno.ECONNRESET) {
                return 0;
            }
            throw e;
        }
    }
}
