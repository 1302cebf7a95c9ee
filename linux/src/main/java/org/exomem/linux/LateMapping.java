package org.exomem.linux;

import java.util.EnumSet;
import java.util.Set;

/**
 * A mapping of a part of a shared memory file whose missing pages another process brings: the owner of the userfaultfd is
 * notified of each page that is requested with {@link #bring}, and puts it into the file. This process does not read or
 * write through the mapping, so that only the call that requests a page waits for it.
 *
 * <p>Any thread may call any method, but {@link #close} only when no {@link #bring} is under way.
 */
public final class LateMapping implements AutoCloseable {
    /** The features that the userfaultfd must have. */
    public static final Set<Userfaultfd.Feature> FEATURES = EnumSet.of(Userfaultfd.Feature.MISSING_SHARED);

    private static final int PROT_NONE = 0;
    private static final int PROT_READ = 1;
    private static final int PROT_READ_WRITE = 3;
    private static final int MAP_SHARED = 1;
    private static final int MAP_PRIVATE = 2;
    private static final int MAP_FIXED = 0x10;
    private static final int MAP_ANONYMOUS = 0x20;
    private static final int MAP_NORESERVE = 0x4000;
    private static final int MADV_DONTDUMP = 16;
    private static final int MADV_POPULATE_READ = 22;
    private static final Set<Userfaultfd.Mode> MISSING = EnumSet.of(Userfaultfd.Mode.MISSING);

    private final Userfaultfd userfaultfd;
    private final long address;
    private final long length;
    private volatile boolean ended;

    private LateMapping(Userfaultfd userfaultfd, long address, long length) {
        this.userfaultfd = userfaultfd;
        this.address = address;
        this.length = length;
    }

    /**
     * True if this process can use it: it needs a userfaultfd that also reports pages which the kernel touches for a
     * process, and a kernel that touches pages on request (Linux 5.14). Asks the kernel at each call.
     */
    public static boolean isPossible() {
        try {
            Userfaultfd.of(Userfaultfd.makeForTheKernelToo(), FEATURES).close();
        } catch (LinuxException e) {
            return false;
        }
        long page = LibC.mmap(0, SharedFile.SMALL_PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        boolean populates = page != -1 && LibC.madvise(page, SharedFile.SMALL_PAGE, MADV_POPULATE_READ) == 0;
        if (page != -1) {
            LibC.munmap(page, SharedFile.SMALL_PAGE);
        }
        return populates;
    }

    /**
     * Maps {@code length} bytes at {@code offset} of the file, both in bytes; the offset must be a multiple of the file's
     * page size. No page is touched. The file may be closed afterwards.
     *
     * @param userfaultfd with {@link #FEATURES}; remains the caller's, and must stay open until {@link #end} was called
     * @throws LinuxException ENOMEM if the process can have no more mappings; EINVAL if pages of the file can't be brought
     *     late (it is on a disk); what {@link Userfaultfd#register} throws
     */
    public static LateMapping of(SharedFile file, long offset, long length, Userfaultfd userfaultfd)
            throws LinuxException {
        long mapped = (length + file.pageSize() - 1) & -file.pageSize();
        long address = LibC.mmap(
                0,
                mapped,
                PROT_READ_WRITE,
                MAP_SHARED | MAP_NORESERVE,
                file.fd().number(),
                offset);
        if (address == -1) {
            throw new LinuxException(
                    "mmap(offset " + offset + ", length " + length + ")", file.toString(), LibC.errno());
        }
        LibC.madvise(address, mapped, MADV_DONTDUMP);
        try {
            userfaultfd.register(address, mapped, MISSING);
        } catch (LinuxException e) {
            LibC.munmap(address, mapped);
            throw e;
        }
        return new LateMapping(userfaultfd, address, mapped);
    }

    /** The address in this process, which identifies the pages for the process that brings them. */
    public long address() {
        return address;
    }

    /**
     * Requests the missing pages of a range one after the other. Waits for each until it was brought or {@link #end} is
     * called, in a system call, so that no other thread of this process waits.
     *
     * @param offset in the mapping, a multiple of 4096
     * @param bytes at least 1
     * @return true if all are present; false if {@link #end} was called
     * @throws LinuxException EFAULT if the file was truncated before them or the userfaultfd has ended, ENOMEM if the host
     *     has no memory
     */
    public boolean bring(long offset, long bytes) throws LinuxException {
        while (!ended) {
            if (LibC.madvise(address + offset, bytes, MADV_POPULATE_READ) == 0) {
                return !ended;
            }
            int errno = LibC.errno();
            if (!ended && errno != Errno.EAGAIN && errno != Errno.EINTR) {
                throw new LinuxException("madvise(MADV_POPULATE_READ)", "guest memory that is still arriving", errno);
            }
        }
        return false;
    }

    /**
     * Requests no more pages, and ends the waits in {@link #bring}. Pages that were not brought remain holes of the file:
     * the file is unmapped here before the waiting threads wake up.
     */
    public void end() {
        ended = true;
        // Fast, because only pages that were brought are mapped. It can't fail, as the address space does not change.
        LibC.mmap(address, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
        // The other side may hold the userfaultfd open, so that nothing else wakes the threads.
        new PageGiver(userfaultfd.fd()).wake(address, length);
    }

    /** Frees the addresses. Call {@link #end} before. */
    @Override
    public void close() {
        LibC.munmap(address, length);
    }
}
