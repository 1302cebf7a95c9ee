package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** One end of a pipe or of a stream socket: bytes in a row, read or written without waiting. Owns its descriptor. */
public final class PipeEnd implements AutoCloseable {
    /** Nothing can be read or written now. */
    public static final int WOULD_BLOCK = -1;
    /** The other end was closed, and everything is read. */
    public static final int END = 0;

    private static final int O_CLOEXEC = 0x80000;

    private final Fd fd;

    private PipeEnd(Fd fd) {
        this.fd = fd;
    }

    /**
     * Takes over a received descriptor.
     *
     * @return null when it is neither a pipe nor a socket; it stays open and the caller's
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

    /** A new pipe. */
    public static Pipe pipe() throws LinuxException {
        MemorySegment pair = NativeBuffer.ofSize(2L * Integer.BYTES);
        if (LibC.pipe2(pair.address(), O_CLOEXEC) < 0) {
            throw new LinuxException("pipe2", "a new pipe", LibC.errno());
        }
        return new Pipe(new Fd(pair.get(JAVA_INT, 0)), new Fd(pair.get(JAVA_INT, Integer.BYTES)));
    }

    /** The descriptor itself, to watch; closed with this. */
    public Fd fd() {
        return fd;
    }

    /**
     * Reads what is there.
     *
     * @param buffer native, at least 1 byte
     * @return the number of bytes, {@link #END} or {@link #WOULD_BLOCK}
     */
    public int read(MemorySegment buffer) throws LinuxException {
        return result("read", LibC.read(fd.number(), buffer.address(), buffer.byteSize()));
    }

    /**
     * Writes as much as there is room for.
     *
     * @param bytes native, at least 1 byte
     * @return the number of bytes, at least 1, or {@link #WOULD_BLOCK}
     * @throws LinuxException with EPIPE if nobody reads any more
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
