package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Set;

/**
 * A userfaultfd: it tells of accesses to ranges of one address space, that of the process in which it was made, and holds for as long as
 * any descriptor of it is open (Linux, "Userfaultfd"). Addresses and lengths in bytes, multiples of the page size of what is
 * mapped there. Safe for use by several threads.
 */
public final class Userfaultfd implements AutoCloseable {
    /** The system call's number here. */
    public static final int SYSTEM_CALL = System.getProperty("os.arch", "").equals("aarch64") ? 282 : 323;

    /** Makes it close-on-exec and non-blocking. */
    public static final int FLAGS = 0x80000 | 0x800;

    /** Faults of system calls are not told of; whoever has no privilege may have only such a one. */
    public static final int USER_MODE_ONLY = 1;

    private static final String DEVICE = "/dev/userfaultfd";
    private static final int O_RDWR_CLOEXEC = 0x80002;
    /** {@code USERFAULTFD_IOC_NEW} of the device. */
    private static final long NEW = 0xaa00;

    /** The kernel notes there too that it has agreed at all. */
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

    /** What a kernel may be asked for; by the bit in {@code struct uffdio_api}. */
    public enum Feature {
        /** Touches of holes of shared memory are told. */
        MISSING_SHARED(5),
        /** A fault is told with the address that was touched, not that of its page. */
        EXACT_ADDRESS(11),
        /** Ranges of shared memory can be write-protected. */
        WRITE_PROTECT_SHARED(12),
        /** So can pages that are not there yet. */
        WRITE_PROTECT_UNPOPULATED(13),
        /** A write to a protected page is noted and goes on; nobody has to answer. */
        WRITE_PROTECT_ASYNC(15);

        private final int bit;

        Feature(int bit) {
            this.bit = bit;
        }
    }

    /** What it is to be told of; by the bit in {@code struct uffdio_register}. */
    public enum Mode {
        /** A touch of a page that is not there. */
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
     * Like {@link #make}, but one that is told of system calls' faults as well: a plain one where that is allowed, otherwise one of the
     * device for them.
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
                        "it needs access to " + DEVICE + ", the capability CAP_SYS_PTRACE, or"
                                + " vm.unprivileged_userfaultfd=1")
                : new LinuxException("userfaultfd", "this process", errno);
    }

    /**
     * One that has agreed with the kernel on its features before, in another process or in one that has ended.
     *
     * @param fd owned from now on
     */
    public static Userfaultfd inUse(Fd fd) {
        return new Userfaultfd(fd);
    }

    /**
     * Agrees with the kernel on the features; once for each userfaultfd.
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
                            "the kernel has not all of " + features + ", which Linux 6.7 has")
                    : e;
        }
        return new Userfaultfd(fd);
    }

    /**
     * Whether one has agreed on just these features, by what the kernel says of it.
     *
     * @param description as in {@code /proc/PID/fdinfo}, with a line {@code API: version:features:…} in hexadecimal
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
     * Watches a range, all of which has to be mapped.
     *
     * @throws LinuxException EBUSY if another userfaultfd watches a part of it; EINVAL if it is not mapped, or by something
     *     that can't be watched; EPERM if what is mapped could never be written
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
                            "another userfaultfd watches it (a guard of unplugged memory, or the VMM's own post-copy"
                                    + " or background snapshot)")
                    : e;
        }
    }

    /**
     * Watches a range no more, and lets everybody go on who waits there.
     *
     * @throws LinuxException ENOMEM if the process has too many mappings
     */
    public void unregister(long address, long length) throws LinuxException {
        MemorySegment argument = NativeBuffer.ofSize(16);
        argument.set(JAVA_LONG, 0, address);
        argument.set(JAVA_LONG, 8, length);
        ioctl(fd, UNREGISTER, argument, "UFFDIO_UNREGISTER of " + range(address, length));
        // The kernel wakes them before it has taken the range out. Whoever came in between, under the lock of the one
        // mapping, would wait for good (seen with Linux 6.18); and whoever waits to write to a protected page is not
        // woken
        // at all.
        wake(address, length);
    }

    /**
     * From now on whoever writes to a range that is registered for {@link Mode#WRITE_PROTECT} waits.
     *
     * @throws LinuxException ENOENT if a part of it is not registered
     */
    public void protect(long address, long length) throws LinuxException {
        writeProtect(address, length, PROTECT);
    }

    /** Lets everybody write there, and go on who waits. */
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

    /** Has everybody who waits in a range, be it watched or not any more, touch it again. */
    public void wake(long address, long length) throws LinuxException {
        MemorySegment argument = NativeBuffer.ofSize(16);
        argument.set(JAVA_LONG, 0, address);
        argument.set(JAVA_LONG, 8, length);
        ioctl(fd, WAKE, argument, "UFFDIO_WAKE of " + range(address, length));
    }

    /** The descriptor itself, which is readable when somebody waits; closed with this. */
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

    /** If no other descriptor of it is open, all that it watched is watched no more. */
    @Override
    public void close() {
        fd.close();
    }
}
