package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.charset.StandardCharsets;

/**
 * A Unix datagram socket to the process that started this one and wants to know its state, by sd_notify(3): each text is one
 * message. Safe for use by several threads.
 */
public final class NotifySocket implements AutoCloseable {
    private static final int AF_UNIX = 1;
    private static final int SOCK_DGRAM = 2;
    private static final int SOCK_NONBLOCK = 0x800;
    private static final int SOCK_CLOEXEC = 0x80000;
    private static final int ADDRESS_OFFSET = 2;
    private static final int MAX_ADDRESS_BYTES = 108;

    private final Fd fd;
    private final String address;

    private NotifySocket(Fd fd, String address) {
        this.fd = fd;
        this.address = address;
    }

    /**
     * Connects to a socket.
     *
     * @param address an absolute path, or the name of an abstract socket after {@code @}
     * @throws LinuxException EAFNOSUPPORT if it is neither, ENAMETOOLONG, ENOENT, ECONNREFUSED, EACCES, …
     */
    public static NotifySocket connect(String address) throws LinuxException {
        byte[] name = address.getBytes(StandardCharsets.UTF_8);
        boolean isAbstract = address.startsWith("@");
        if (name.length < 2 || !isAbstract && name[0] != '/') {
            throw new LinuxException(
                    "connect", address, Errno.EAFNOSUPPORT, "neither an absolute path nor @ and the name of a socket");
        }
        if (name.length >= MAX_ADDRESS_BYTES) {
            throw new LinuxException("connect", address, Errno.ENAMETOOLONG);
        }
        if (isAbstract) {
            name[0] = 0;
        }
        // The name of an abstract socket is all bytes that the length covers; a path ends with a zero.
        int length = ADDRESS_OFFSET + name.length + (isAbstract ? 0 : 1);
        MemorySegment at = NativeBuffer.ofSize(length);
        at.set(JAVA_SHORT, 0, (short) AF_UNIX);
        MemorySegment.copy(name, 0, at, JAVA_BYTE, ADDRESS_OFFSET, name.length);
        Fd fd = Fd.of(LibC.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket", address);
        int result = LibC.connect(fd.number(), at.address(), length);
        Reference.reachabilityFence(at);
        if (result < 0) {
            int errno = LibC.errno();
            fd.close();
            throw new LinuxException("connect", address, errno);
        }
        return new NotifySocket(fd, address);
    }

    /**
     * Sends one message. Does not wait.
     *
     * @throws LinuxException EAGAIN if the other side reads too slowly, ECONNREFUSED if it has gone
     */
    public void send(String message) throws LinuxException {
        MemorySegment text = NativeBuffer.ofUtf8(message);
        long sent = LibC.write(fd.number(), text.address(), text.byteSize() - 1);
        Reference.reachabilityFence(text);
        if (sent < 0) {
            throw new LinuxException("write", address, LibC.errno());
        }
    }

    @Override
    public void close() {
        fd.close();
    }
}
