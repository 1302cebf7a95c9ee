package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Making, connecting and accepting Unix stream sockets. All are close-on-exec. */
public final class UnixSockets {
    private static final int AF_UNIX = 1;
    private static final int SOCK_STREAM = 1;
    private static final int SOCK_CLOEXEC = 0x80000;
    private static final int SOCK_NONBLOCK = 0x800;
    private static final int SOL_SOCKET = 1;
    private static final int SO_PEERCRED = 17;
    private static final int SO_ACCEPTCONN = 30;
    private static final int PATH_OFFSET = 2;
    /** The longest path of a Unix socket in bytes, without its terminating zero. */
    public static final int MAX_PATH_BYTES = 107;

    private UnixSockets() {}

    /**
     * Connects to a listening socket; waits while too many others do. Fails with ECONNREFUSED where nobody listens (a
     * stale socket), ENOENT, …
     */
    public static Fd connect(Path path) throws LinuxException {
        return connect(path, 0);
    }

    /** Like {@link #connect}, but fails with EAGAIN where it would wait. The result is non-blocking. */
    public static Fd connectNow(Path path) throws LinuxException {
        return connect(path, SOCK_NONBLOCK);
    }

    private static Fd connect(Path path, int flags) throws LinuxException {
        MemorySegment address = address("connect", path);
        Fd fd = newSocket(flags);
        if (LibC.connect(fd.number(), address.address(), (int) address.byteSize()) < 0) {
            int errno = LibC.errno();
            fd.close();
            throw new LinuxException("connect", path.toString(), errno);
        }
        return fd;
    }

    /** A non-blocking listening socket. Fails with EADDRINUSE if the path exists. */
    public static Fd listen(Path path, int backlog) throws LinuxException {
        MemorySegment address = address("bind", path);
        Fd fd = newSocket(SOCK_NONBLOCK);
        if (LibC.bind(fd.number(), address.address(), (int) address.byteSize()) < 0
                || LibC.listen(fd.number(), backlog) < 0) {
            int errno = LibC.errno();
            fd.close();
            throw errno == Errno.ENOENT
                    ? new LinuxException("bind", path.toString(), errno, "its folder must be there before")
                    : new LinuxException("bind", path.toString(), errno);
        }
        return fd;
    }

    /** The next connection of a non-blocking listening socket, or null when none waits. */
    public static @Nullable Fd accept(Fd listening) throws LinuxException {
        int accepted = LibC.accept4(listening.number(), 0, 0, SOCK_CLOEXEC);
        if (accepted >= 0) {
            return new Fd(accepted);
        }
        int errno = LibC.errno();
        if (errno == Errno.EAGAIN || errno == Errno.EINTR) {
            return null;
        }
        throw new LinuxException("accept", listening.toString(), errno);
    }

    /** True if the descriptor is a listening socket, false if a connected one. */
    public static boolean isListening(Fd fd) throws LinuxException {
        return option(fd, SO_ACCEPTCONN, 4).get(JAVA_INT, 0) != 0;
    }

    /** The process that listened where this is connected to; 0 if it can't be seen from here. */
    public static int peer(Fd connected) throws LinuxException {
        return option(connected, SO_PEERCRED, 12).get(JAVA_INT, 0);
    }

    private static MemorySegment option(Fd socket, int name, int bytes) throws LinuxException {
        MemorySegment value = NativeBuffer.ofSize(16);
        MemorySegment length = NativeBuffer.ofSize(8);
        length.set(JAVA_INT, 0, bytes);
        if (LibC.getsockopt(socket.number(), SOL_SOCKET, name, value.address(), length.address()) < 0) {
            throw new LinuxException("getsockopt", socket.toString(), LibC.errno());
        }
        return value;
    }

    /** Two sockets connected to each other. */
    public static List<Fd> pair() throws LinuxException {
        MemorySegment pair = NativeBuffer.ofSize(8);
        if (LibC.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.address()) < 0) {
            throw new LinuxException("socketpair", "a new pair", LibC.errno());
        }
        return List.of(new Fd(pair.get(JAVA_INT, 0)), new Fd(pair.get(JAVA_INT, 4)));
    }

    private static Fd newSocket(int flags) throws LinuxException {
        return Fd.of(LibC.socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0), "socket", "a new Unix socket");
    }

    private static MemorySegment address(String call, Path path) throws LinuxException {
        byte[] bytes = path.toString().getBytes(StandardCharsets.UTF_8);
        if (bytes.length > MAX_PATH_BYTES) {
            throw new LinuxException(
                    call,
                    path.toString(),
                    Errno.ENAMETOOLONG,
                    "a socket's path has at most " + MAX_PATH_BYTES + " bytes");
        }
        MemorySegment address = NativeBuffer.ofSize(PATH_OFFSET + bytes.length + 1L);
        address.set(JAVA_SHORT, 0, (short) AF_UNIX);
        MemorySegment.copy(MemorySegment.ofArray(bytes), 0, address, PATH_OFFSET, bytes.length);
        return address;
    }
}
