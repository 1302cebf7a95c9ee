package org.exomem.vhostuser.backend;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.exomem.linux.Errno;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.MessageSocket;
import org.exomem.vhostuser.protocol.FrontEndFault;
import org.exomem.vhostuser.protocol.Header;

/**
 * Assembles messages from the pieces that arrive on a socket. Reads a header first and then exactly its payload, so that
 * descriptors are never mixed up with those of the next message (VHU-HDR-6).
 */
final class MessageReader {
    /** The result of an attempt to read. */
    enum Progress {
        /** The message is complete. */
        MESSAGE,
        /** The rest has not arrived yet. */
        WAITING,
        /** The message brings descriptors for which the process has no numbers left; it stays in the socket. */
        NO_DESCRIPTORS,
        /** The peer has closed. */
        CLOSED
    }

    /** Before the header, so that the payload is aligned for its 8-byte fields. */
    private static final int PADDING = 4;

    private final MessageSocket socket;
    private final MemorySegment buffer = Arena.ofAuto()
            .allocate(PADDING + Header.SIZE + Header.MAX_PAYLOAD, 8)
            .asSlice(PADDING);
    private final List<Fd> fds = new ArrayList<>();
    private int filled;
    private Header header = new Header(0, 0, 0);

    MessageReader(MessageSocket socket) {
        this.socket = socket;
    }

    /** Reads on, without waiting. After {@link Progress#MESSAGE} the next call begins a new message. */
    Progress read() throws LinuxException {
        while (true) {
            int wanted = filled < Header.SIZE ? Header.SIZE : Header.SIZE + header.size();
            int received = receive(filled, wanted - filled);
            if (received == MessageSocket.WOULD_BLOCK) {
                return Progress.WAITING;
            }
            if (received == MessageSocket.NO_DESCRIPTORS) {
                return Progress.NO_DESCRIPTORS;
            }
            if (received == 0) {
                return Progress.CLOSED;
            }
            filled += received;
            if (filled == Header.SIZE && wanted == Header.SIZE) {
                header = Header.decode(buffer);
                if (header.size() > 0) {
                    continue;
                }
            }
            if (filled == Header.SIZE + header.size()) {
                filled = 0;
                return Progress.MESSAGE;
            }
        }
    }

    private int receive(int at, int size) throws LinuxException {
        try {
            int received = socket.receive(buffer.asSlice(at, size), fds);
            if (fds.size() > MessageSocket.MAX_FDS) {
                throw tooMany();
            }
            return received;
        } catch (LinuxException e) {
            if (e.errno() == Errno.EINVAL) {
                throw tooMany();
            }
            throw e;
        }
    }

    private static FrontEndFault tooMany() {
        return new FrontEndFault("a message came with more than " + MessageSocket.MAX_FDS + " file descriptors");
    }

    Header header() {
        return header;
    }

    /** The payload of the last message; valid until the next {@link #read}. */
    MemorySegment payload() {
        return buffer.asSlice(Header.SIZE, header.size());
    }

    /** The descriptors of the last message, which the caller owns from now on. */
    List<Fd> takeFds() {
        List<Fd> taken = List.copyOf(fds);
        fds.clear();
        return taken;
    }

    /** True if a part of a message has arrived. */
    boolean isAmidMessage() {
        return filled > 0;
    }

    /** Closes the descriptors of an incomplete message. */
    void discard() {
        takeFds().forEach(Fd::close);
    }
}
