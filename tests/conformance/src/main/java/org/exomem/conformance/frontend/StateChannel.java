package org.exomem.conformance.frontend;

import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.SocketTimeoutException;
import java.time.Duration;
import org.exomem.linux.Errno;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.PipeEnd;
import org.exomem.linux.Poll;

/** The front-end's end of the pipe that transfers a device's state. */
public final class StateChannel {
    private static final int AT_ONCE = 1 << 16;

    private StateChannel() {}

    /** Reads to the end. The descriptor remains the caller's. */
    public static byte[] readAll(Fd fd, Duration limit) throws IOException {
        PipeEnd pipe = adopt(fd);
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(AT_ONCE);
            while (true) {
                if (!Poll.readable(fd, limit)) {
                    throw new SocketTimeoutException("the device did not end its state");
                }
                int read = pipe.read(buffer);
                if (read == PipeEnd.END) {
                    return all.toByteArray();
                }
                if (read > 0) {
                    all.writeBytes(buffer.asSlice(0, read).toArray(ValueLayout.JAVA_BYTE));
                }
            }
        }
    }

    /**
     * Writes all bytes. The descriptor remains the caller's.
     *
     * @throws EOFException if the back-end has closed its end before
     */
    public static void writeAll(Fd fd, byte[] state, Duration limit) throws IOException {
        PipeEnd pipe = adopt(fd);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocateFrom(ValueLayout.JAVA_BYTE, state);
            for (long done = 0; done < bytes.byteSize(); ) {
                if (!Poll.writable(fd, limit)) {
                    throw new SocketTimeoutException("the device read only " + done + " of " + state.length + " bytes");
                }
                int written = pipe.write(bytes.asSlice(done));
                done += Math.max(0, written);
            }
        } catch (LinuxException e) {
            if (e.errno() == Errno.EPIPE) {
                throw new EOFException("the back-end closed its end of the pipe");
            }
            throw e;
        }
    }

    private static PipeEnd adopt(Fd fd) throws IOException {
        PipeEnd pipe = PipeEnd.adopt(fd);
        if (pipe == null) {
            throw new IOException(fd.description() + " is not a pipe");
        }
        return pipe;
    }
}
