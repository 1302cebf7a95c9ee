package org.exomem.linux;

import java.util.EnumSet;
import java.util.Set;

/**
 * A mapping of a part of a file of shared memory whose missing pages somebody else brings: whoever holds the userfaultfd is told of each
 * page that is {@linkplain #bring asked for} here, and puts it into the file. Nobody reads or writes through the mapping, so
 * nothing of this process waits for a page but the call that asks for it.
 *
 * <p>All methods may be called from any thread, but {@link #close} only when no {@link #bring} is under way.
 */
public final class LateMapping implements AutoCloseable {
    /** What the userfaultfd has to offer. */
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
     * True if this process may have what this needs: a userfaultfd that also tells of pages that the kernel touches for a process, on a
     * kernel that touches pages on request (Linux 5.14). Asked of the kernel at each call.
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
     * Maps {@code length} bytes at {@code offset} of the file, both in bytes; the offset must be a multiple of the file's page size.
     * Nothing is touched. The file may be closed afterwards.
     *
     * @param userfaultfd with {@link #FEATURES}; stays the caller's, and open until {@link #end} was called
     * @throws LinuxException ENOMEM where the process has no room for more mappings; EINVAL if pages of the file can't be
     *     brought late (it is on a disk); what {@link Userfaultfd#register} throws
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

    /** Where it is in this process: what whoever brings pages is told of them. */
    public long address() {
        return address;
    }

    /**
     * Has pages come that are not there, one after the other, and waits for each until it has been brought or {@link #end} is
     * called: in a system call, so that nothing else of this process waits with it.
     *
     * @param offset in the mapping, a multiple of 4096
     * @param bytes at least 1
     * @return true if they are all there; false if {@link #end} was called
     * @throws LinuxException EFAULT if the file was truncated before them or the userfaultfd is gone, ENOMEM if the host has no memory
     */
    public boolean bring(long offset, long bytes) throws LinuxException {
        while (!ended) {
            if (LibC.madvise(address + offset, bytes, MADV_POPULATE_READ) == 0) {
                return !ended;
            }
            int errno = LibC.errno();
            if (!ended && errno != Errno.EAGAIN && errno != Errno.EINTR) {
                throw new LinuxException("madvise(MADV_POPULATE_READ)", "guest memory that comes late", errno);
            }
        }
        return false;
    }

    /**
     * Asks for no page any more, and lets go on whoever waits in {@link #bring}. What was not brought stays a hole of the file: first
     * the file is mapped here no more, and only then they wake.
     */
    public void end() {
        ended = true;
        // Takes no time of note: only what was brought is mapped. It can't fail, as the address space stays as it is.
        LibC.mmap(address, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
        // The other side may hold the userfaultfd open: then nobody else wakes them.
        new PageGiver(userfaultfd.fd()).wake(address, length);
    }

    /** Gives the addresses back; after {@link #end}. */
    @Override
    public void close() {
        LibC.munmap(address, length);
    }
}
