package org.exomem.vhostuser.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;
import java.time.Duration;

/** Waiting on one descriptor, for threads that have no event loop. */
public final class Poll {
    private static final int POLLIN = 1;
    private static final int POLLOUT = 4;

    private Poll() {}

    /**
     * Waits until a read of the descriptor would not wait: data, a notification, or the peer's end.
     *
     * @param limit the longest to wait, to the millisecond, rounded up; zero only looks
     * @return false if nothing came in time
     */
    public static boolean readable(Fd fd, Duration limit) throws LinuxException {
        return ready(fd, POLLIN, limit);
    }

    /** Waits until a write to the descriptor would not wait, or would fail; otherwise as {@link #readable}. */
    public static boolean writable(Fd fd, Duration limit) throws LinuxException {
        return ready(fd, POLLOUT, limit);
    }

    private static boolean ready(Fd fd, int events, Duration limit) throws LinuxException {
        MemorySegment entry = NativeBuffer.ofSize(8);
        entry.set(JAVA_INT, 0, fd.number());
        entry.set(JAVA_INT, 4, events);
        long end = System.nanoTime() + limit.toNanos();
        while (true) {
            long rest = Math.max(0, end - System.nanoTime());
            int ready = LibC.poll(entry.address(), 1, (int) Math.min(Integer.MAX_VALUE, (rest + 999_999) / 1_000_000));
            if (ready > 0) {
                return true;
            }
            if (ready < 0 && LibC.errno() != Errno.EINTR) {
                throw new LinuxException("poll", fd.toString(), LibC.errno());
            }
            if (System.nanoTime() - end >= 0) {
                return false;
            }
        }
    }
}
