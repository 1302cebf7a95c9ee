package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Notification through an eventfd, or through the pipe that a front-end without eventfds sends instead (vhost-user, "Support
 * for platforms other than Linux"): eight bytes whose value has no meaning.
 */
public final class EventFd implements AutoCloseable {
    private static final int EFD_CLOEXEC = 0x80000;
    private static final int EFD_NONBLOCK = 0x800;
    // Shared by all objects, and never written: every signal adds one.
    private static final MemorySegment ONE = NativeBuffer.ofSize(8);
    private static final long ONE_ADDRESS = ONE.address();

    static {
        ONE.set(JAVA_LONG, 0, 1);
    }

    private final Fd fd;
    private final boolean pipe;
    private final MemorySegment drained = NativeBuffer.ofSize(8);

    /** A new eventfd with count zero, non-blocking, close-on-exec. */
    public EventFd() throws LinuxException {
        this(Fd.of(LibC.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd", "a new eventfd"), false);
    }

    private EventFd(Fd fd, boolean pipe) {
        this.fd = fd;
        this.pipe = pipe;
    }

    /**
     * Adopts a received descriptor for notification.
     *
     * @return null if the descriptor is neither an eventfd nor a pipe; it stays open and the caller's then
     * @throws LinuxException if it can't be made non-blocking
     */
    public static @Nullable EventFd adopt(Fd fd) throws LinuxException {
        String kind = fd.description();
        boolean pipe = kind.startsWith("pipe:");
        if (!pipe && !kind.equals("anon_inode:[eventfd]")) {
            return null;
        }
        fd.setNonBlocking();
        return new EventFd(fd, pipe);
    }

    /** True if the notifier is a pipe, which fills up unless it is drained. */
    public boolean isPipe() {
        return pipe;
    }

    /** The descriptor, to watch or to send; closed with this. */
    public Fd fd() {
        return fd;
    }

    /**
     * Notifies the other side. Does nothing if the counter or pipe is full, because a notification is pending then, or if
     * the peer has left.
     */
    public void signal() {
        LibC.write(fd.number(), ONE_ADDRESS, 8);
    }

    /** Consumes all pending notifications. Returns true if there was one; never waits. */
    public boolean drain() {
        return LibC.read(fd.number(), drained.address(), 8) > 0;
    }

    @Override
    public void close() {
        fd.close();
    }
}
