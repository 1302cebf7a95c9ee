package org.exomem.benchmarks;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import org.exomem.linux.Fd;

/** An eventfd with only its system calls, called by JNA like exomem's own. A call allocates nothing. */
final class BareEventFd implements AutoCloseable {
    private static final int EFD_CLOEXEC = 0x80000;
    private static final short POLLIN = 1;

    static {
        Native.register(BareEventFd.class, "c");
    }

    private final Fd fd;
    private final Memory value = new Memory(8);
    private final Memory poll = new Memory(8);
    private final long valueAt = Pointer.nativeValue(value);
    private final long pollAt = Pointer.nativeValue(poll);

    /** Takes ownership of an existing descriptor. */
    BareEventFd(Fd fd) {
        this.fd = fd;
        value.setLong(0, 1);
        poll.setInt(0, fd.number());
        poll.setShort(4, POLLIN);
    }

    /** Creates an eventfd whose reads wait. */
    static BareEventFd blocking() {
        return new BareEventFd(new Fd(eventfd(0, EFD_CLOEXEC)));
    }

    Fd fd() {
        return fd;
    }

    /** Wakes the thread that waits. */
    void signal() {
        value.setLong(0, 1);
        expect(8, write(fd.number(), valueAt, 8));
    }

    /** Waits by read; for a descriptor whose reads wait. */
    void await() {
        expect(8, read(fd.number(), valueAt, 8));
    }

    /** Waits by poll, and does not take the notification. */
    void awaitReadable(int limitMillis) {
        expect(1, poll(pollAt, 1, limitMillis));
    }

    private void expect(long expected, long result) {
        if (result != expected) {
            throw new IllegalStateException(fd + ": " + result + ", errno " + Native.getLastError());
        }
    }

    @Override
    public void close() {
        fd.close();
    }

    private static native int eventfd(int initial, int flags);

    private static native long read(int fd, long buffer, long size);

    private static native long write(int fd, long buffer, long size);

    private static native int poll(long fds, long count, int timeoutMillis);
}
