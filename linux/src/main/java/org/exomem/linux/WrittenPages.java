package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/**
 * Reads from a process's page tables which pages were written, and protects them again atomically ({@code PAGEMAP_SCAN},
 * Linux 6.7). Only for ranges that a {@link Userfaultfd} watches with {@link Userfaultfd.Feature#WRITE_PROTECT_ASYNC}. For
 * one thread at a time.
 */
public final class WrittenPages implements AutoCloseable {
    private static final int O_RDONLY = 0;
    private static final int O_CLOEXEC = 0x80000;
    private static final long PAGEMAP_SCAN = 0xc0606610L;
    private static final long WP_MATCHING = 1;
    private static final long CHECK_WPASYNC = 2;
    private static final long PAGE_IS_WRITTEN = 2;
    private static final int ARGUMENT_SIZE = 96;
    private static final int FLAGS = 8;
    private static final int START = 16;
    private static final int END = 24;
    private static final int WALK_END = 32;
    private static final int VECTOR = 40;
    private static final int VECTOR_LENGTH = 48;
    private static final int CATEGORY_MASK = 72;
    private static final int RETURN_MASK = 88;
    private static final int REGION_SIZE = 24;
    private static final int REGIONS = 4096;

    private final Fd pagemap;
    private final MemorySegment argument = NativeBuffer.ofSize(ARGUMENT_SIZE);
    private final MemorySegment regions = NativeBuffer.ofSize((long) REGIONS * REGION_SIZE);

    /** Receives ranges of addresses, in ascending order. */
    @FunctionalInterface
    public interface Ranges {
        /**
         * @param from address of the first byte
         * @param to address after the last byte
         */
        void range(long from, long to);
    }

    private WrittenPages(Fd pagemap) {
        this.pagemap = pagemap;
        argument.set(JAVA_LONG, 0, ARGUMENT_SIZE);
        argument.set(JAVA_LONG, VECTOR, regions.address());
        argument.set(JAVA_LONG, VECTOR_LENGTH, REGIONS);
        argument.set(JAVA_LONG, CATEGORY_MASK, PAGE_IS_WRITTEN);
        argument.set(JAVA_LONG, RETURN_MASK, PAGE_IS_WRITTEN);
    }

    /**
     * Opens the present address space of a process; one that it gets later by {@code exec} is not seen.
     *
     * @throws LinuxException EACCES if the process may not be examined, ENOENT if it has ended
     */
    public static WrittenPages of(int process) throws LinuxException {
        String path = "/proc/" + process + "/pagemap";
        MemorySegment name = NativeBuffer.ofUtf8(path);
        int result = LibC.open(name.address(), O_RDONLY | O_CLOEXEC, 0);
        Reference.reachabilityFence(name);
        return new WrittenPages(Fd.of(result, "open", path));
    }

    /**
     * Reports the pages of a range that were written since the last call for it; at the first call, all present pages. A
     * write that is under way is in this call or in the next.
     *
     * @throws LinuxException EPERM if a part of the range is not watched; ENOTTY if the kernel is too old; ESRCH if the
     *     address space is gone
     */
    public void fetch(long from, long to, Ranges into) throws LinuxException {
        scan(WP_MATCHING | CHECK_WPASYNC, from, to, into);
    }

    /** Reports the same pages as {@link #fetch}, and leaves them unprotected: the next call reports them again. */
    public void look(long from, long to, Ranges into) throws LinuxException {
        scan(CHECK_WPASYNC, from, to, into);
    }

    private void scan(long flags, long from, long to, Ranges into) throws LinuxException {
        argument.set(JAVA_LONG, FLAGS, flags);
        argument.set(JAVA_LONG, END, to);
        for (long at = from; at < to; ) {
            argument.set(JAVA_LONG, START, at);
            int found = LibC.ioctl(pagemap.number(), PAGEMAP_SCAN, argument.address());
            if (found < 0) {
                int errno = LibC.errno();
                if (errno == Errno.EINTR) {
                    continue;
                }
                if (errno == Errno.ENOTTY) {
                    throw new LinuxException(
                            "PAGEMAP_SCAN", pagemap.description(), errno, "it requires Linux 6.7 or newer");
                }
                throw new LinuxException("PAGEMAP_SCAN", pagemap.description(), errno);
            }
            for (int i = 0; i < found; i++) {
                long region = (long) i * REGION_SIZE;
                into.range(regions.get(JAVA_LONG, region), regions.get(JAVA_LONG, region + 8));
            }
            at = argument.get(JAVA_LONG, WALK_END);
        }
        Reference.reachabilityFence(regions);
    }

    @Override
    public void close() {
        pagemap.close();
    }
}
