package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.Set;
import org.exomem.linux.Userfaultfd.Feature;

/**
 * Touches of missing pages, in ranges of an address space with a {@link Userfaultfd}: a thread that touches one waits until
 * this gives it a page. For shared memory of 4096-byte pages. Allocates nothing, except for errors. For one thread at a
 * time.
 */
public final class PageFaults implements AutoCloseable {
    /** The features that the userfaultfd must have. */
    public static final Set<Feature> FEATURES = EnumSet.of(Feature.WRITE_PROTECT_SHARED, Feature.EXACT_ADDRESS);

    private static final long PAGE = SharedFile.SMALL_PAGE;
    /** The addresses at which programs on x86-64 and aarch64 can have mappings. */
    private static final long LOWEST = 1L << 16;

    private static final long HIGHEST = (1L << 47) - (1L << 16);
    private static final long REGISTER = 0xc020aa00L;
    private static final long WAKE = 0x8010aa02L;
    private static final long COPY = 0xc028aa03L;
    private static final long ZEROPAGE = 0xc020aa04L;
    private static final long WRITEPROTECT = 0xc018aa06L;
    private static final long REGISTER_MISSING = 1;
    private static final long REGISTER_WRITE_PROTECT = 2;
    private static final long COPY_WRITE_PROTECTED = 2;
    private static final int ARGUMENT_SIZE = 40;

    private static final int EVENTS = 64;
    private static final int EVENT_SIZE = 32;
    private static final byte PAGE_FAULT = 0x12;
    private static final int FLAGS = 8;
    private static final int ADDRESS = 16;
    private static final long WRITE = 1;
    private static final long WRITE_PROTECTED = 2;

    private static final MemorySegment ZEROS = NativeBuffer.ofSize(PAGE);

    private final Userfaultfd userfaultfd;
    private final int number;
    private final MemorySegment argument = NativeBuffer.ofSize(ARGUMENT_SIZE);
    private final MemorySegment events = NativeBuffer.ofSize((long) EVENTS * EVENT_SIZE);

    /** @param userfaultfd with {@link #FEATURES}; owned from now on */
    public PageFaults(Userfaultfd userfaultfd) {
        this.userfaultfd = userfaultfd;
        this.number = userfaultfd.fd().number();
    }

    /** Readable when a thread waits; closed with this. */
    public Fd fd() {
        return userfaultfd.fd();
    }

    /**
     * Registers a range: a thread that touches a missing page waits from now on. Earlier registrations remain.
     *
     * @throws LinuxException EBUSY if another userfaultfd watches a part of it; EINVAL if it is not mapped, or the mapping
     *     can't be watched; ENOMEM if the process has too many mappings
     */
    public void register(long address, long length) throws LinuxException {
        argument.set(JAVA_LONG, 16, REGISTER_MISSING | REGISTER_WRITE_PROTECT);
        call(REGISTER, address, length, "UFFDIO_REGISTER");
    }

    /**
     * As {@link #register}, but writes to present pages are not reported; needs less than {@link #FEATURES}.
     *
     * @throws LinuxException as {@link #register} does
     */
    public void registerMissing(long address, long length) throws LinuxException {
        argument.set(JAVA_LONG, 16, REGISTER_MISSING);
        call(REGISTER, address, length, "UFFDIO_REGISTER");
    }

    /**
     * Unregisters a range, and wakes the threads that wait there.
     *
     * @throws LinuxException ENOMEM if the process has too many mappings
     */
    public void unregister(long address, long length) throws LinuxException {
        userfaultfd.unregister(address, length);
    }

    /**
     * Lets all threads that wait in the range touch it again. Events that were read and not answered are reported again.
     *
     * @throws LinuxException if the call fails
     */
    public void wake(long address, long length) throws LinuxException {
        call(WAKE, address, length, "UFFDIO_WAKE");
    }

    /** As {@link #wake}, for the whole address space. */
    public void wakeAll() throws LinuxException {
        wake(LOWEST, HIGHEST - LOWEST);
    }

    /**
     * False if no userfaultfd watches the page, neither this one nor another.
     *
     * @throws LinuxException for any other reason
     */
    public boolean isWatched(long address) throws LinuxException {
        argument.set(JAVA_LONG, 16, 0);
        int error = attempt(WRITEPROTECT, address, PAGE);
        if (error != 0 && error != Errno.ENOENT) {
            throw failure("UFFDIO_WRITEPROTECT", address, PAGE, error);
        }
        return error == 0;
    }

    /**
     * Takes the touches for which threads wait, as many as there are and this can hold. Drops those that were taken before.
     *
     * @return the number of touches
     * @throws LinuxException if they can't be read
     */
    public int take() throws LinuxException {
        long read = LibC.read(number, events.address(), events.byteSize());
        if (read < 0) {
            int errno = LibC.errno();
            if (errno == Errno.EAGAIN || errno == Errno.EINTR) {
                return 0;
            }
            throw new LinuxException("read", "the userfaultfd", errno);
        }
        return (int) (read / EVENT_SIZE);
    }

    /** The address of a touch that was taken; 0 for another event. */
    public long address(int index) {
        long event = (long) index * EVENT_SIZE;
        return events.get(JAVA_BYTE, event) == PAGE_FAULT ? events.get(JAVA_LONG, event + ADDRESS) : 0;
    }

    /** True if the touch was a write. */
    public boolean isWrite(int index) {
        return (flags(index) & WRITE) != 0;
    }

    /** True if there is a page, which was given for reading. */
    public boolean isWriteProtected(int index) {
        return (flags(index) & WRITE_PROTECTED) != 0;
    }

    private long flags(int index) {
        return events.get(JAVA_LONG, (long) index * EVENT_SIZE + FLAGS);
    }

    /**
     * Gives a page of zeros, unless there is a page by now, and wakes the threads that wait for it.
     *
     * @throws LinuxException ENOMEM, …
     */
    public void giveZeros(long address) throws LinuxException {
        long page = address & -PAGE;
        argument.set(JAVA_LONG, 16, 0);
        give(attempt(ZEROPAGE, page, PAGE), page, "UFFDIO_ZEROPAGE");
    }

    /** As {@link #giveZeros}, but a later write to the page waits. */
    public void giveZerosToRead(long address) throws LinuxException {
        long page = address & -PAGE;
        argument.set(JAVA_LONG, 0, page);
        argument.set(JAVA_LONG, 8, ZEROS.address());
        argument.set(JAVA_LONG, 16, PAGE);
        argument.set(JAVA_LONG, 24, COPY_WRITE_PROTECTED);
        argument.set(JAVA_LONG, 32, 0);
        give(LibC.ioctl(number, COPY, argument.address()) < 0 ? LibC.errno() : 0, page, "UFFDIO_COPY");
    }

    /**
     * Lets threads go on that wait to write to a page that was given for reading.
     *
     * @throws LinuxException if the call fails
     */
    public void allowWrite(long address) throws LinuxException {
        long page = address & -PAGE;
        argument.set(JAVA_LONG, 16, 0);
        // The page may have been taken back, or not be watched any more: the next touch shows that.
        give(attempt(WRITEPROTECT, page, PAGE), page, "UFFDIO_WRITEPROTECT");
    }

    private void give(int error, long page, String what) throws LinuxException {
        switch (error) {
            case 0 -> {}
            case Errno.EEXIST, Errno.ENOENT, Errno.EAGAIN -> wake(page, PAGE);
            default -> throw failure(what, page, PAGE, error);
        }
    }

    private void call(long request, long address, long length, String what) throws LinuxException {
        int error = attempt(request, address, length);
        if (error != 0) {
            throw failure(what, address, length, error);
        }
    }

    private int attempt(long request, long address, long length) {
        argument.set(JAVA_LONG, 0, address);
        argument.set(JAVA_LONG, 8, length);
        return LibC.ioctl(number, request, argument.address()) < 0 ? LibC.errno() : 0;
    }

    private static LinuxException failure(String call, long address, long length, int error) {
        return new LinuxException(
                call, Long.toHexString(address) + "+" + Long.toHexString(length) + " of the VMM's memory", error);
    }

    /** Registrations remain while another descriptor of the userfaultfd is open, and threads that touch such pages wait. */
    @Override
    public void close() {
        userfaultfd.close();
    }
}
