package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;

/**
 * Gives pages to an address space that misses them, through a {@link Userfaultfd}. Errors are negative error numbers,
 * because most of them are no faults. Allocates nothing. For one thread at a time. Several objects may use one userfaultfd.
 */
public final class PageGiver {
    private static final long WAKE = 0x8010aa02L;
    private static final long COPY = 0xc028aa03L;
    private static final long ZEROPAGE = 0xc020aa04L;
    private static final int ARGUMENT_SIZE = 40;
    private static final int COPIED = 32;
    private static final int ZEROED = 24;

    private final Fd fd;
    private final MemorySegment argument = NativeBuffer.ofSize(ARGUMENT_SIZE);
    private final long argumentAddress = argument.address();

    /** @param userfaultfd remains the caller's, and must stay open as long as this is used */
    public PageGiver(Fd userfaultfd) {
        this.fd = userfaultfd;
    }

    /**
     * Copies bytes to missing pages, and wakes the threads that wait for them. Addresses and length are multiples of 4096.
     *
     * @param content address in this process; unreadable memory gives EFAULT and no signal
     * @return the bytes that were copied, from the beginning, at least 4096; or a negative number: EEXIST if the first page
     *     is present, ENOENT if its address is not watched, EAGAIN to try again, ENOMEM if the host has no memory or its
     *     file system is full, ESRCH if the process has ended
     */
    public long copy(long address, long length, long content) {
        argument.set(JAVA_LONG, 0, address);
        argument.set(JAVA_LONG, 8, content);
        argument.set(JAVA_LONG, 16, length);
        argument.set(JAVA_LONG, 24, 0);
        argument.set(JAVA_LONG, COPIED, 0);
        return result(LibC.ioctl(fd.number(), COPY, argumentAddress), COPIED, length);
    }

    /** As {@link #copy}, with zeros. */
    public long zeros(long address, long length) {
        argument.set(JAVA_LONG, 0, address);
        argument.set(JAVA_LONG, 8, length);
        argument.set(JAVA_LONG, 16, 0);
        argument.set(JAVA_LONG, ZEROED, 0);
        return result(LibC.ioctl(fd.number(), ZEROPAGE, argumentAddress), ZEROED, length);
    }

    private long result(int returned, int field, long length) {
        if (returned == 0) {
            return length;
        }
        int errno = LibC.errno();
        long done = argument.get(JAVA_LONG, field);
        return done > 0 ? done : -errno;
    }

    /**
     * Lets all threads that wait in the range touch it again. Events that were read and not answered are reported again.
     *
     * @return 0, or a negative error number
     */
    public long wake(long address, long length) {
        argument.set(JAVA_LONG, 0, address);
        argument.set(JAVA_LONG, 8, length);
        return LibC.ioctl(fd.number(), WAKE, argumentAddress) < 0 ? -LibC.errno() : 0;
    }
}
