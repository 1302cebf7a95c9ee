package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * A Unix stream socket for bytes and file descriptors ({@code SCM_RIGHTS}). One thread may receive while another one sends.
 * Owns its descriptor.
 *
 * <pre>
 * msghdr (56 bytes)        cmsghdr
 *  0 name, namelen          0 len   = 16 + 4 * fds
 * 16 iov                    8 level = SOL_SOCKET
 * 24 iovlen                12 type  = SCM_RIGHTS
 * 32 control               16 fds, 4 bytes each
 * 40 controllen
 * 48 flags
 * </pre>
 */
public final class MessageSocket implements AutoCloseable {
    /** The most descriptors that a single message may carry here; the kernel's own limit is 253. */
    public static final int MAX_FDS = 32;

    private static final int MSGHDR_IOV = 16;
    private static final int MSGHDR_IOVLEN = 24;
    private static final int MSGHDR_CONTROL = 32;
    private static final int MSGHDR_CONTROLLEN = 40;
    private static final int MSGHDR_FLAGS = 48;
    private static final int MSGHDR_SIZE = 56;
    private static final int CMSG_LEVEL = 8;
    private static final int CMSG_TYPE = 12;
    private static final int CMSG_DATA = 16;
    private static final int CONTROL_SIZE = CMSG_DATA + 4 * MAX_FDS;
    private static final int SOL_SOCKET = 1;
    private static final int SCM_RIGHTS = 1;
    private static final int MSG_PEEK = 2;
    private static final int MSG_DONTWAIT = 0x40;
    private static final int MSG_NOSIGNAL = 0x4000;
    private static final int MSG_CTRUNC = 8;
    private static final int MSG_CMSG_CLOEXEC = 0x40000000;
    private static final int SHUT_RDWR = 2;
    private static final int POLLOUT = 4;
    private static final int SIOCOUTQ = 0x5411;

    /** Returned by {@link #receive} if nothing has arrived. */
    public static final int WOULD_BLOCK = -1;
    /** Returned by {@link #receive} if descriptors have arrived for which this process has no numbers left. */
    public static final int NO_DESCRIPTORS = -2;

    private final Fd fd;
    private final Direction in = new Direction();
    private final Direction out = new Direction();

    /** Owns a connected socket from now on. */
    public MessageSocket(Fd fd) {
        this.fd = fd;
    }

    /** The native headers for one direction, filled once. */
    private static final class Direction {
        final MemorySegment header = NativeBuffer.ofSize(MSGHDR_SIZE);
        final MemorySegment vector = NativeBuffer.ofSize(16);
        final MemorySegment control = NativeBuffer.ofSize(CONTROL_SIZE);

        Direction() {
            header.set(JAVA_LONG, MSGHDR_IOV, vector.address());
            header.set(JAVA_LONG, MSGHDR_IOVLEN, 1);
        }

        void prepare(MemorySegment bytes, long controlLength) {
            vector.set(JAVA_LONG, 0, bytes.address());
            vector.set(JAVA_LONG, 8, bytes.byteSize());
            header.set(JAVA_LONG, MSGHDR_CONTROL, controlLength == 0 ? 0 : control.address());
            header.set(JAVA_LONG, MSGHDR_CONTROLLEN, controlLength);
            header.set(JAVA_INT, MSGHDR_FLAGS, 0);
        }
    }

    /** The socket, to watch; closed with this. */
    public Fd fd() {
        return fd;
    }

    /**
     * Receives what has arrived, up to the size of {@code bytes}, without waiting.
     *
     * @param bytes native memory to fill, at least one byte
     * @param fds receives the descriptors of the message, which the caller owns then
     * @return the number of bytes; 0 if the peer has closed; {@link #WOULD_BLOCK} if nothing has arrived; {@link
     *     #NO_DESCRIPTORS} if descriptors have arrived and the process has no numbers for them ({@link DescriptorReserve}):
     *     bytes and descriptors stay in the socket, and can be received later
     * @throws LinuxException also with EINVAL if more than {@link #MAX_FDS} descriptors came, and with EMFILE if other
     *     threads took the numbers reserved for them; descriptors that did arrive are closed
     */
    public int receive(MemorySegment bytes, List<Fd> fds) throws LinuxException {
        // Without room for descriptors: the flag shows whether there are any, and peeking loses none.
        in.prepare(bytes.asSlice(0, 1), 0);
        int there = receive(MSG_PEEK | MSG_DONTWAIT);
        if (there <= 0) {
            return there;
        }
        if (!isTruncated()) {
            return receiveAll(bytes, fds);
        }
        Integer received = DescriptorReserve.ofProcess().tryToLend(() -> receiveAll(bytes, fds));
        return received == null ? NO_DESCRIPTORS : received;
    }

    private int receiveAll(MemorySegment bytes, List<Fd> fds) throws LinuxException {
        in.prepare(bytes, CONTROL_SIZE);
        int received = receive(MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (received < 0) {
            return received;
        }
        List<Fd> arrived = takeDescriptors();
        if (isTruncated()) {
            arrived.forEach(Fd::close);
            throw arrived.size() == MAX_FDS
                    ? new LinuxException(
                            "recvmsg",
                            fd.toString(),
                            Errno.EINVAL,
                            "more than " + MAX_FDS + " descriptors were received")
                    : new LinuxException("recvmsg", fd.toString(), Errno.EMFILE, "received descriptors are lost");
        }
        fds.addAll(arrived);
        return received;
    }

    private int receive(int flags) throws LinuxException {
        long received;
        do {
            received = LibC.recvmsg(fd.number(), in.header.address(), flags);
        } while (received < 0 && LibC.errno() == Errno.EINTR);
        if (received < 0) {
            int errno = LibC.errno();
            if (errno == Errno.EAGAIN) {
                return WOULD_BLOCK;
            }
            throw new LinuxException("recvmsg", fd.toString(), errno);
        }
        return (int) received;
    }

    private boolean isTruncated() {
        return (in.header.get(JAVA_INT, MSGHDR_FLAGS) & MSG_CTRUNC) != 0;
    }

    private List<Fd> takeDescriptors() {
        if (in.header.get(JAVA_LONG, MSGHDR_CONTROLLEN) < CMSG_DATA) {
            return List.of();
        }
        long length = in.control.get(JAVA_LONG, 0);
        boolean rights =
                in.control.get(JAVA_INT, CMSG_LEVEL) == SOL_SOCKET && in.control.get(JAVA_INT, CMSG_TYPE) == SCM_RIGHTS;
        List<Fd> arrived = new ArrayList<>();
        for (long at = CMSG_DATA; rights && at + 4 <= length; at += 4) {
            arrived.add(new Fd(in.control.get(JAVA_INT, at)));
        }
        return arrived;
    }

    /**
     * Sends all of {@code bytes}, with descriptors attached to the first of them. Waits up to {@code timeoutMillis} whenever
     * the peer's buffer is full.
     *
     * @throws LinuxException with EAGAIN if the peer did not read in time, EPIPE if it has gone
     */
    public void send(MemorySegment bytes, List<Fd> fds, int timeoutMillis) throws LinuxException {
        if (fds.size() > MAX_FDS) {
            throw new IllegalArgumentException("at most " + MAX_FDS + " descriptors, not " + fds.size());
        }
        long controlLength = fds.isEmpty() ? 0 : fillDescriptors(fds);
        MemorySegment rest = bytes;
        while (rest.byteSize() > 0) {
            out.prepare(rest, controlLength);
            long sent = LibC.sendmsg(fd.number(), out.header.address(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent >= 0) {
                rest = rest.asSlice(sent);
                controlLength = 0;
                continue;
            }
            int errno = LibC.errno();
            if (errno == Errno.EAGAIN && waitUntilWritable(timeoutMillis) || errno == Errno.EINTR) {
                continue;
            }
            throw new LinuxException("sendmsg", fd.toString(), errno);
        }
    }

    private long fillDescriptors(List<Fd> fds) {
        long length = CMSG_DATA + 4L * fds.size();
        out.control.set(JAVA_LONG, 0, length);
        out.control.set(JAVA_INT, CMSG_LEVEL, SOL_SOCKET);
        out.control.set(JAVA_INT, CMSG_TYPE, SCM_RIGHTS);
        for (int i = 0; i < fds.size(); i++) {
            out.control.set(JAVA_INT, CMSG_DATA + 4L * i, fds.get(i).number());
        }
        // The kernel needs the length padded to 8 bytes (CMSG_SPACE).
        return (length + 7) & ~7L;
    }

    private boolean waitUntilWritable(int timeoutMillis) {
        MemorySegment poll = NativeBuffer.ofSize(8);
        poll.set(JAVA_INT, 0, fd.number());
        poll.set(JAVA_INT, 4, POLLOUT);
        return LibC.poll(poll.address(), 1, timeoutMillis) > 0;
    }

    /**
     * True if the peer has read everything that was sent (unix(7), SIOCOUTQ). Any thread may call this.
     *
     * @throws LinuxException with ENOTTY or EINVAL if this kind of socket does not support it
     */
    public boolean isAllRead() throws LinuxException {
        MemorySegment unread = NativeBuffer.ofSize(4);
        if (LibC.ioctl(fd.number(), SIOCOUTQ, unread.address()) < 0) {
            throw new LinuxException("ioctl(SIOCOUTQ)", fd.toString(), LibC.errno());
        }
        return unread.get(JAVA_INT, 0) == 0;
    }

    /** Ends both directions, which wakes a peer or another thread that waits on the socket. */
    public void shutdown() {
        LibC.shutdown(fd.number(), SHUT_RDWR);
    }

    @Override
    public void close() {
        fd.close();
    }
}
