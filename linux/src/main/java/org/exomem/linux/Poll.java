package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.List;

/** Waits for descriptors, for threads without an event loop. */
public final class Poll {
    private static final int POLLIN = 1;
    private static final int POLLOUT = 4;
    private static final int POLLHUP = 0x10;

    private Poll() {}

    /**
     * Waits until a read of the descriptor would not wait: because of data, a notification, or the peer's end.
     *
     * @param limit the longest wait, rounded up to milliseconds; zero does not wait
     * @return false at the limit
     * @throws LinuxException if the call fails
     */
    public static boolean readable(Fd fd, Duration limit) throws LinuxException {
        return ready(fd, POLLIN, limit);
    }

    /** Waits until a write to the descriptor would not wait, or would fail; otherwise as {@link #readable}. */
    public static boolean writable(Fd fd, Duration limit) throws LinuxException {
        return ready(fd, POLLOUT, limit);
    }

    /** True if the peer of a connected socket has closed it, even if there is data to read. Does not wait. */
    public static boolean peerHasClosed(Fd fd) throws LinuxException {
        MemorySegment entry = NativeBuffer.ofSize(8);
        entry.set(JAVA_INT, 0, fd.number());
        int ready = LibC.poll(entry.address(), 1, 0);
        if (ready < 0 && LibC.errno() != Errno.EINTR) {
            throw new LinuxException("poll", fd.toString(), LibC.errno());
        }
        return ready > 0 && (entry.get(JAVA_INT, 4) >>> 16 & POLLHUP) != 0;
    }

    /** As {@link #readable}, for any one of several descriptors. */
    public static boolean anyReadable(List<Fd> fds, Duration limit) throws LinuxException {
        return ready(fds, POLLIN, limit);
    }

    private static boolean ready(Fd fd, int events, Duration limit) throws LinuxException {
        return ready(List.of(fd), events, limit);
    }

    private static boolean ready(List<Fd> fds, int events, Duration limit) throws LinuxException {
        MemorySegment entries = NativeBuffer.ofSize(8L * fds.size());
        for (int i = 0; i < fds.size(); i++) {
            entries.set(JAVA_INT, 8L * i, fds.get(i).number());
            entries.set(JAVA_INT, 8L * i + 4, events);
        }
        long end = System.nanoTime() + limit.toNanos();
        while (true) {
            long rest = Math.max(0, end - System.nanoTime());
            int millis = (int) Math.min(Integer.MAX_VALUE, (rest + 999_999) / 1_000_000);
            int ready = LibC.poll(entries.address(), fds.size(), millis);
            if (ready > 0) {
                return true;
            }
            if (ready < 0 && LibC.errno() != Errno.EINTR) {
                throw new LinuxException("poll", fds.toString(), LibC.errno());
            }
            if (System.nanoTime() - end >= 0) {
                return false;
            }
        }
    }
}
