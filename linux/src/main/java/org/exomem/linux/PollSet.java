package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.MemorySegment;

/** Waits repeatedly until one of the same descriptors can be read. Allocates nothing. For one thread at a time. */
public final class PollSet {
    private static final int ENTRY = 8;
    private static final int POLLIN = 1;

    private final MemorySegment entries;
    private final long address;
    private final int count;

    /** @param fds must stay open as long as this is used */
    public PollSet(Fd... fds) {
        count = fds.length;
        entries = NativeBuffer.ofSize((long) ENTRY * count);
        address = entries.address();
        for (int i = 0; i < count; i++) {
            entries.set(JAVA_INT, (long) ENTRY * i, fds[i].number());
            entries.set(JAVA_INT, (long) ENTRY * i + 4, POLLIN);
        }
    }

    /**
     * Waits until one can be read, or has ended.
     *
     * @param millis the longest wait; 0 does not wait, less than 0 has no limit
     * @return false if none can; also after a signal
     * @throws LinuxException if the call fails
     */
    public boolean await(int millis) throws LinuxException {
        int ready = LibC.poll(address, count, millis);
        if (ready < 0) {
            int errno = LibC.errno();
            if (errno != Errno.EINTR) {
                throw new LinuxException("poll", count + " descriptors", errno);
            }
            for (int i = 0; i < count; i++) {
                entries.set(JAVA_INT, (long) ENTRY * i + 4, POLLIN);
            }
        }
        return ready > 0;
    }

    /** The result of the last {@link #await} for one of them, counted from 0. */
    public boolean isReady(int index) {
        return entries.get(JAVA_INT, (long) ENTRY * index + 4) >>> 16 != 0;
    }
}
