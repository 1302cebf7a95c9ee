package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** One end of a pipe or of a stream socket, for reading or writing bytes without waiting. Owns its descriptor. */
public final class PipeEnd implements AutoCloseable {
    /** No bytes can be read or written now. */
    public static final int WOULD_BLOCK = -1;
    /** The other end was closed, and everything was read. */
    public static final int END = 0;

    private static final int O_CLOEXEC = 0x80000;

    private final Fd fd;

    private PipeEnd(Fd fd) {
        this.fd = fd;
    }

    /**
     * Adopts a received descriptor.
     *
     * @return null if it is neither a pipe nor a socket; it stays open and the caller's then
     * @throws LinuxException if it can't be made non-blocking
     */
    public static @Nullable PipeEnd adopt(Fd fd) throws LinuxException {
        FileStatus status = FileStatus.of(fd);
        if (!status.isPipe() && !status.isSocket()) {
            return null;
        }
        fd.setNonBlocking();
        return new PipeEnd(fd);
    }

    /** The two ends of a new pipe, close-on-exec. Reading and writing wait, until an end is {@linkplain #adopt adopted}. */
    public record Pipe(Fd readEnd, Fd writeEnd) {}

    /**
     * Makes a pipe.
     *
     * @throws LinuxException EMFILE, …
     */
    public static Pipe pipe() throws LinuxException {
        MemorySegment pair = NativeBuffer.ofSize(2L * Integer.BYTES);
        if (LibC.pipe2(pair.address(), O_CLOEXEC) < 0) {
            throw new LinuxException("pipe2", "a new pipe", LibC.errno());
        }
        return new Pipe(new Fd(pair.get(JAVA_INT, 0)), new Fd(pair.get(JAVA_INT, Integer.BYTES)));
    }

    /** The descriptor, to watch; closed with this. */
    public Fd fd() {
        return fd;
    }

    /**
     * Reads the available bytes.
     *
     * @param buffer native, at least 1 byte
     * @return the number of bytes, {@link #END} or {@link #WOULD_BLOCK}
     * @throws LinuxException if the call fails
     */
    public int read(MemorySegment buffer) throws LinuxException {
        return result("read", LibC.read(fd.number(), buffer.address(), buffer.byteSize()));
    }

    /**
     * Writes as many bytes as there is room for.
     *
     * @param bytes native, at least 1 byte
     * @return the number of bytes, at least 1, or {@link #WOULD_BLOCK}
     * @throws LinuxException with EPIPE if the reading end was closed
     */
    public int write(MemorySegment bytes) throws LinuxException {
        return result("write", LibC.write(fd.number(), bytes.address(), bytes.byteSize()));
    }

    private int result(String call, long count) throws LinuxException {
        if (count >= 0) {
            return (int) count;
        }
        int errno = LibC.errno();
        if (errno == Errno.EAGAIN || errno == Errno.EINTR) {
            return WOULD_BLOCK;
        }
        throw new LinuxException(call, fd.toString(), errno);
    }

    @Override
    public void close() {
        fd.close();
    }
}
