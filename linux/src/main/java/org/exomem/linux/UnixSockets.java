package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Makes, connects and accepts Unix stream sockets. All are close-on-exec. */
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
    /** The user id in SO_PEERCRED for a socket without a peer. */
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
     * Connects to a listening socket; waits while its queue is full.
     *
     * @throws LinuxException ECONNREFUSED if no process listens (a stale socket), ENOENT, …
     */
    public static Fd connect(Path path) throws LinuxException {
        return connect(path, 0);
    }

    /**
     * As {@link #connect}, but does not wait. The result is non-blocking.
     *
     * @throws LinuxException EAGAIN if it would wait
     */
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
     * Makes a non-blocking listening socket that is not removed at the end; {@link ListeningSocket} does that.
     *
     * @throws LinuxException EADDRINUSE if the path exists
     */
    public static Fd listen(Path path, int backlog) throws LinuxException {
        Fd fd = bind(path);
        listen(fd, path, backlog);
        return fd;
    }

    /** Makes a non-blocking socket at a path, with access for its owner only, to which no process can connect yet. */
    static Fd bind(Path path) throws LinuxException {
        MemorySegment address = address("bind", path);
        Fd fd = newSocket(SOCK_NONBLOCK);
        // Linux makes the path with the mode of the socket: it never has more permissions than this.
        int result = LibC.fchmod(fd.number(), OWNER_ONLY);
        if (result == 0) {
            result = LibC.bind(fd.number(), address.address(), (int) address.byteSize());
            Reference.reachabilityFence(address);
        }
        if (result < 0) {
            int errno = LibC.errno();
            fd.close();
            throw errno == Errno.ENOENT
                    ? new LinuxException("bind", path.toString(), errno, "its folder must exist before")
                    : new LinuxException("bind", path.toString(), errno);
        }
        return fd;
    }

    /** Lets processes connect to a bound socket; closes it on failure. */
    static void listen(Fd bound, Path path, int backlog) throws LinuxException {
        if (LibC.listen(bound.number(), backlog) < 0) {
            int errno = LibC.errno();
            bound.close();
            throw new LinuxException("listen", path.toString(), errno);
        }
    }

    /** Sets the permissions of the file at the path, not those of the target of a symbolic link. */
    static void setMode(Path path, int mode) throws LinuxException {
        MemorySegment name = NativeBuffer.ofUtf8(path.toString());
        int result = LibC.fchmodat(AT_FDCWD, name.address(), mode, AT_SYMLINK_NOFOLLOW);
        Reference.reachabilityFence(name);
        if (result < 0) {
            throw new LinuxException("chmod", path.toString(), LibC.errno());
        }
    }

    /**
     * The next connection of a non-blocking listening socket, or null if none waits.
     *
     * @throws LinuxException EMFILE, …
     */
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

    /** The use of an inherited descriptor. */
    public enum Role {
        /** Peers connect to it. */
        LISTENING,
        /** It is connected to a peer. */
        CONNECTED
    }

    /**
     * Finds out the role of an inherited descriptor.
     *
     * @throws LinuxException if it is not open (EBADF), no Unix stream socket (ENOTSOCK, EINVAL), or neither listens nor is
     *     connected (EINVAL); the message says which
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
            throw notUsable(fd, Errno.EINVAL, "it is neither listening nor connected");
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
        return new LinuxException("use", fd.toString(), errno, "a Unix stream socket is required, but " + what);
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

    /**
     * The id of the process that called listen at the other end; 0 if it can't be seen from here.
     *
     * @throws LinuxException if the call fails
     */
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

    /**
     * Makes two sockets that are connected to each other.
     *
     * @throws LinuxException EMFILE, …
     */
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
