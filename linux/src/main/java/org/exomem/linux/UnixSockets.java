package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
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
    private static final int AF_INET = 2;
    private static final int AF_INET6 = 10;
    private static final int SOCK_DGRAM = 2;
    private static final int SOCK_SEQPACKET = 5;
    private static final int SO_TYPE = 3;
    private static final int SO_DOMAIN = 39;
    /** The user id, in SO_PEERCRED, of a socket that has no peer. */
    private static final int NO_USER = -1;

    private static final int AT_FDCWD = -100;
    private static final int AT_SYMLINK_NOFOLLOW = 0x100;
    private static final int OWNER_ONLY = 0600;
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
        int result = LibC.connect(fd.number(), address.address(), (int) address.byteSize());
        Reference.reachabilityFence(address);
        if (result < 0) {
            int errno = LibC.errno();
            fd.close();
            throw new LinuxException("connect", path.toString(), errno);
        }
        return fd;
    }

    /**
     * A non-blocking listening socket that nobody removes at the end; {@link ListeningSocket} does. Fails with EADDRINUSE
     * if the path exists.
     */
    public static Fd listen(Path path, int backlog) throws LinuxException {
        Fd fd = bind(path);
        listen(fd, path, backlog);
        return fd;
    }

    /** A non-blocking socket at a path, which only its owner may open, and to which nobody can connect yet. */
    static Fd bind(Path path) throws LinuxException {
        MemorySegment address = address("bind", path);
        Fd fd = newSocket(SOCK_NONBLOCK);
        // Linux makes the path with the mode of the socket itself: it never has more permissions than this.
        int result = LibC.fchmod(fd.number(), OWNER_ONLY);
        if (result == 0) {
            result = LibC.bind(fd.number(), address.address(), (int) address.byteSize());
            Reference.reachabilityFence(address);
        }
        if (result < 0) {
            int errno = LibC.errno();
            fd.close();
            throw errno == Errno.ENOENT
                    ? new LinuxException("bind", path.toString(), errno, "its folder must be there before")
                    : new LinuxException("bind", path.toString(), errno);
        }
        return fd;
    }

    /** Lets others connect to a bound socket; closes it where that fails. */
    static void listen(Fd bound, Path path, int backlog) throws LinuxException {
        if (LibC.listen(bound.number(), backlog) < 0) {
            int errno = LibC.errno();
            bound.close();
            throw new LinuxException("listen", path.toString(), errno);
        }
    }

    /** Sets the permissions of what is at the path, and not of what a link there names. */
    static void setMode(Path path, int mode) throws LinuxException {
        MemorySegment name = NativeBuffer.ofUtf8(path.toString());
        int result = LibC.fchmodat(AT_FDCWD, name.address(), mode, AT_SYMLINK_NOFOLLOW);
        Reference.reachabilityFence(name);
        if (result < 0) {
            throw new LinuxException("chmod", path.toString(), LibC.errno());
        }
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

    /** What an inherited descriptor is good for. */
    public enum Role {
        /** Others connect to it. */
        LISTENING,
        /** Somebody is at its other end. */
        CONNECTED
    }

    /**
     * Finds out what an inherited descriptor is.
     *
     * @throws LinuxException if it is not open (EBADF), no Unix stream socket (ENOTSOCK, EINVAL), or neither listens nor
     *     is connected (EINVAL); says which
     */
    public static Role roleOf(Fd fd) throws LinuxException {
        if (!status(fd).isSocket()) {
            throw notUsable(fd, Errno.ENOTSOCK, "it is " + fd.description());
        }
        int domain = option(fd, SO_DOMAIN, 4).get(JAVA_INT, 0);
        int type = option(fd, SO_TYPE, 4).get(JAVA_INT, 0);
        if (domain != AF_UNIX || type != SOCK_STREAM) {
            throw notUsable(fd, Errno.EINVAL, "it is " + kind(domain, type));
        }
        if (option(fd, SO_ACCEPTCONN, 4).get(JAVA_INT, 0) != 0) {
            return Role.LISTENING;
        }
        if (option(fd, SO_PEERCRED, 12).get(JAVA_INT, 4) == NO_USER) {
            throw notUsable(fd, Errno.EINVAL, "it neither listens nor is connected");
        }
        return Role.CONNECTED;
    }

    private static FileStatus status(Fd fd) throws LinuxException {
        try {
            return FileStatus.of(fd);
        } catch (LinuxException e) {
            throw e.errno() == Errno.EBADF
                    ? notUsable(fd, Errno.EBADF, "this process was started with no descriptor of that number")
                    : e;
        }
    }

    private static LinuxException notUsable(Fd fd, int errno, String what) {
        return new LinuxException("use", fd.toString(), errno, "a Unix stream socket is needed, and " + what);
    }

    private static String kind(int domain, int type) {
        String family = switch (domain) {
            case AF_UNIX -> "a Unix";
            case AF_INET, AF_INET6 -> "an Internet";
            default -> "a socket of address family " + domain + ", a";
        };
        return family
                + switch (type) {
                    case SOCK_STREAM -> " stream socket";
                    case SOCK_DGRAM -> " datagram socket";
                    case SOCK_SEQPACKET -> " sequential packet socket";
                    default -> " socket of type " + type;
                };
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
