package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Set;

/**
 * A userfaultfd: it reports accesses to ranges of one address space, that of the process in which it was made. It works as
 * long as any descriptor of it is open (Linux, "Userfaultfd"). Addresses and lengths in bytes, multiples of the page size of
 * the mapping. Safe for use by several threads.
 */
public final class Userfaultfd implements AutoCloseable {
    /** The system call's number on this architecture. */
    public static final int SYSTEM_CALL = System.getProperty("os.arch", "").equals("aarch64") ? 282 : 323;

    /** The flags for close-on-exec and non-blocking. */
    public static final int FLAGS = 0x80000 | 0x800;

    /** Without faults of system calls; a process without privileges may only make such a userfaultfd. */
    public static final int USER_MODE_ONLY = 1;

    private static final String DEVICE = "/dev/userfaultfd";
    private static final int O_RDWR_CLOEXEC = 0x80002;
    /** {@code USERFAULTFD_IOC_NEW} of the device. */
    private static final long NEW = 0xaa00;

    /** The kernel also notes there that features were agreed on. */
    private static final long KNOWN_FEATURES = (1L << 31) - 1;

    private static final long VERSION = 0xaa;
    private static final long API = 0xc018aa3fL;
    private static final long REGISTER = 0xc020aa00L;
    private static final long UNREGISTER = 0x8010aa01L;
    private static final long WAKE = 0x8010aa02L;
    private static final long WRITEPROTECT = 0xc018aa06L;
    private static final long PROTECT = 1;
    private static final int API_SIZE = 24;
    private static final int REGISTER_SIZE = 32;

    private final Fd fd;

    /** The features that are requested from the kernel, with their bits in {@code struct uffdio_api}. */
    public enum Feature {
        /** Reports touches of holes in shared memory. */
        MISSING_SHARED(5),
        /** Reports the touched address, not that of its page. */
        EXACT_ADDRESS(11),
        /** Ranges of shared memory can be write-protected. */
        WRITE_PROTECT_SHARED(12),
        /** Missing pages can be write-protected too. */
        WRITE_PROTECT_UNPOPULATED(13),
        /** A write to a protected page is recorded and goes on without an answer. */
        WRITE_PROTECT_ASYNC(15);

        private final int bit;

        Feature(int bit) {
            this.bit = bit;
        }
    }

    /** The events to report, with their bits in {@code struct uffdio_register}. */
    public enum Mode {
        /** A touch of a missing page. */
        MISSING(0),
        /** A write to a page that is write-protected. */
        WRITE_PROTECT(1);

        private final int bit;

        Mode(int bit) {
            this.bit = bit;
        }
    }

    private Userfaultfd(Fd fd) {
        this.fd = fd;
    }

    /**
     * Makes one for this process's own address space, for {@link #of} here or in another process.
     *
     * @throws LinuxException ENOSYS if the kernel has none
     */
    public static Fd make() throws LinuxException {
        long result = LibC.syscall(SYSTEM_CALL, FLAGS);
        if (result < 0 && LibC.errno() == Errno.EPERM) {
            result = LibC.syscall(SYSTEM_CALL, FLAGS | USER_MODE_ONLY);
        }
        return Fd.of((int) result, "userfaultfd", "this process");
    }

    /**
     * As {@link #make}, but with the faults of system calls: an ordinary one if that is allowed, otherwise one of the
     * device.
     *
     * @throws LinuxException EPERM if neither is allowed
     */
    public static Fd makeForTheKernelToo() throws LinuxException {
        long result = LibC.syscall(SYSTEM_CALL, FLAGS);
        if (result >= 0) {
            return new Fd((int) result);
        }
        int errno = LibC.errno();
        MemorySegment path = NativeBuffer.ofUtf8(DEVICE);
        int device = LibC.open(path.address(), O_RDWR_CLOEXEC, 0);
        Reference.reachabilityFence(path);
        if (device >= 0) {
            int made = LibC.ioctl(device, NEW, FLAGS);
            LibC.close(device);
            if (made >= 0) {
                return new Fd(made);
            }
        }
        throw errno == Errno.EPERM
                ? new LinuxException(
                        "userfaultfd",
                        "this process",
                        errno,
                        "it requires access to " + DEVICE + ", the capability CAP_SYS_PTRACE, or"
                                + " vm.unprivileged_userfaultfd=1")
                : new LinuxException("userfaultfd", "this process", errno);
    }

    /**
     * Wraps one whose features were agreed on before, in another process or in one that has ended.
     *
     * @param fd owned from now on
     */
    public static Userfaultfd inUse(Fd fd) {
        return new Userfaultfd(fd);
    }

    /**
     * Agrees with the kernel on the features. Once for each userfaultfd.
     *
     * @param fd owned from now on, also if this fails
     * @throws LinuxException EINVAL if the kernel does not have all of them
     */
    public static Userfaultfd of(Fd fd, Set<Feature> features) throws LinuxException {
        MemorySegment api = NativeBuffer.ofSize(API_SIZE);
        api.set(JAVA_LONG, 0, VERSION);
        api.set(JAVA_LONG, 8, bits(features));
        try {
            ioctl(fd, API, api, "UFFDIO_API");
        } catch (LinuxException e) {
            fd.close();
            throw e.errno() == Errno.EINVAL
                    ? new LinuxException(
                            "UFFDIO_API",
                            fd.toString(),
                            e.errno(),
                            "the kernel lacks some of the features " + features + ", which Linux 6.7 has")
                    : e;
        }
        return new Userfaultfd(fd);
    }

    /**
     * True if a userfaultfd has agreed on exactly these features.
     *
     * @param description the kernel's text in {@code /proc/PID/fdinfo}, with a line {@code API: version:features:…} in
     *     hexadecimal
     */
    public static boolean hasAgreedOn(Set<Feature> features, String description) {
        return description
                .lines()
                .filter(line -> line.startsWith("API:"))
                .map(line -> line.split("[:\\s]+", -1))
                .anyMatch(words ->
                        words.length > 2 && (Long.parseUnsignedLong(words[2], 16) & KNOWN_FEATURES) == bits(features));
    }

    private static long bits(Set<Feature> features) {
        return features.stream().mapToLong(feature -> 1L << feature.bit).reduce(0, (a, b) -> a | b);
    }

    /**
     * Watches a range, which must be mapped completely.
     *
     * @throws LinuxException EBUSY if another userfaultfd watches a part of it; EINVAL if it is not mapped, or the mapping
     *     can't be watched; EPERM if the mapping could never be written
     */
    public void register(long address, long length, Set<Mode> modes) throws LinuxException {
        MemorySegment argument = NativeBuffer.ofSize(REGISTER_SIZE);
        argument.set(JAVA_LONG, 0, address);
        argument.set(JAVA_LONG, 8, length);
        argument.set(
                JAVA_LONG, 16, modes.stream().mapToLong(mode -> 1L << mode.bit).reduce(0, (a, b) -> a | b));
        try {
            ioctl(fd, REGISTER, argument, "UFFDIO_REGISTER of " + range(address, length));
        } catch (LinuxException e) {
            throw e.errno() == Errno.EBUSY
                    ? new LinuxException(
                            "UFFDIO_REGISTER of " + range(address, length),
                            fd.toString(),
                            e.errno(),
                            "another userfaultfd is registered for it (a guard of unplugged memory, or the VMM's own"
                                    + " post-copy or background snapshot)")
                    : e;
        }
    }

    /**
     * Ends the watch of a range, and wakes all threads that wait there.
     *
     * @throws LinuxException ENOMEM if the process has too many mappings
     */
    public void unregister(long address, long length) throws LinuxException {
        MemorySegment argument = NativeBuffer.ofSize(16);
        argument.set(JAVA_LONG, 0, address);
        argument.set(JAVA_LONG, 8, length);
        ioctl(fd, UNREGISTER, argument, "UFFDIO_UNREGISTER of " + range(address, length));
        // The kernel wakes them before it has removed the range. A thread that comes in between, with only the lock of
        // its mapping, would wait forever (seen with Linux 6.18). And threads that wait to write to a protected page
        // are not woken at all.
        wake(address, length);
    }

    /**
     * Protects a range that is registered for {@link Mode#WRITE_PROTECT}: a thread that writes to it waits from now on.
     *
     * @throws LinuxException ENOENT if a part of it is not registered
     */
    public void protect(long address, long length) throws LinuxException {
        writeProtect(address, length, PROTECT);
    }

    /**
     * Ends the protection of a range, and wakes the threads that wait.
     *
     * @throws LinuxException if the call fails
     */
    public void allowWrites(long address, long length) throws LinuxException {
        writeProtect(address, length, 0);
    }

    private void writeProtect(long address, long length, long mode) throws LinuxException {
        MemorySegment argument = NativeBuffer.ofSize(24);
        argument.set(JAVA_LONG, 0, address);
        argument.set(JAVA_LONG, 8, length);
        argument.set(JAVA_LONG, 16, mode);
        ioctl(fd, WRITEPROTECT, argument, "UFFDIO_WRITEPROTECT of " + range(address, length));
    }

    /**
     * Lets all threads that wait in a range, watched or no longer watched, touch it again.
     *
     * @throws LinuxException if the call fails
     */
    public void wake(long address, long length) throws LinuxException {
        MemorySegment argument = NativeBuffer.ofSize(16);
        argument.set(JAVA_LONG, 0, address);
        argument.set(JAVA_LONG, 8, length);
        ioctl(fd, WAKE, argument, "UFFDIO_WAKE of " + range(address, length));
    }

    /** The descriptor, which is readable when a thread waits; closed with this. */
    public Fd fd() {
        return fd;
    }

    private static String range(long address, long length) {
        return Long.toHexString(address) + "+" + Long.toHexString(length);
    }

    private static void ioctl(Fd fd, long request, MemorySegment argument, String call) throws LinuxException {
        int result = LibC.ioctl(fd.number(), request, argument.address());
        Reference.reachabilityFence(argument);
        if (result < 0) {
            throw new LinuxException(call, fd.toString(), LibC.errno());
        }
    }

    /** If no other descriptor of it is open, this ends all its watches. */
    @Override
    public void close() {
        fd.close();
    }
}
