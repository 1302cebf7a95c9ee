package org.exomem.linux;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A shared mapping of a part of a file, readable and usually writable. The segment is bounds-checked, and any thread may use
 * it. After {@link #close} an access throws {@link IllegalStateException}. If the file is truncated below the mapping, an
 * access throws {@link InternalError} (the JVM's conversion of SIGBUS), which users must catch.
 */
public final class Mapping implements AutoCloseable {
    private static final int PROT_READ = 1;
    private static final int PROT_READ_WRITE = 3;
    private static final int MAP_SHARED = 1;
    private static final int MAP_PRIVATE = 2;
    private static final int MAP_NORESERVE = 0x4000;
    private static final int MADV_DONTNEED = 4;
    private static final int MADV_HUGEPAGE = 14;
    private static final int MADV_DONTDUMP = 16;
    private static final int MADV_POPULATE_READ = 22;
    private static final int MADV_POPULATE_WRITE = 23;

    private final Arena arena = Arena.ofShared();
    private final MemorySegment segment;

    private Mapping(long address, long length, long mapped, boolean readOnly) {
        MemorySegment all =
                MemorySegment.ofAddress(address).reinterpret(length, arena, unused -> LibC.munmap(address, mapped));
        this.segment = readOnly ? all.asReadOnly() : all;
    }

    /**
     * Maps {@code length} bytes at {@code offset} of the file, both in bytes; the offset must be a multiple of the file's
     * page size. Reads nothing: holes remain until they are touched. The file may be closed afterwards.
     *
     * @throws LinuxException ENOMEM if the process can have no more mappings, ENODEV, EINVAL, …
     */
    public static Mapping of(SharedFile file, long offset, long length) throws LinuxException {
        long pageSize = file.pageSize();
        return of(file.fd(), offset, length, (length + pageSize - 1) & -pageSize, PROT_READ_WRITE);
    }

    /** As {@link #of}, read-only: the file may have been opened for reading, and a write to the segment throws. */
    public static Mapping forReading(SharedFile file, long offset, long length) throws LinuxException {
        long pageSize = file.pageSize();
        return of(file.fd(), offset, length, (length + pageSize - 1) & -pageSize, PROT_READ);
    }

    /** As {@link #of}, private: writes stay in this mapping. The file may have been opened for reading. */
    public static Mapping privateOf(SharedFile file, long offset, long length) throws LinuxException {
        long pageSize = file.pageSize();
        long mapped = (length + pageSize - 1) & -pageSize;
        return of(file.fd(), offset, length, mapped, PROT_READ_WRITE, MAP_PRIVATE);
    }

    private static Mapping of(Fd fd, long offset, long length, long mapped, int protection) throws LinuxException {
        return of(fd, offset, length, mapped, protection, MAP_SHARED);
    }

    private static Mapping of(Fd fd, long offset, long length, long mapped, int protection, int kind)
            throws LinuxException {
        long address = LibC.mmap(0, mapped, protection, kind | MAP_NORESERVE, fd.number(), offset);
        if (address == -1) {
            throw new LinuxException("mmap(offset " + offset + ", length " + length + ")", fd.toString(), LibC.errno());
        }
        // Guest memory must not be in this process's core dumps. A failure has no other effect.
        LibC.madvise(address, mapped, MADV_DONTDUMP);
        return new Mapping(address, length, mapped, protection == PROT_READ);
    }

    /** The mapped bytes, from the offset on. Any thread may use it. */
    public MemorySegment segment() {
        return segment;
    }

    /**
     * Asks the kernel for huge pages for memory that a touch of this mapping allocates, if the host allows them for files on
     * request ({@code advise}).
     *
     * @throws LinuxException EINVAL if the kernel does not support them
     */
    public void preferHugePages() throws LinuxException {
        advise(0, segment.byteSize(), MADV_HUGEPAGE);
    }

    /**
     * Allocates the page at {@code offset}, as a write would; a huge page if the kernel gives one.
     *
     * @param offset bytes, a multiple of the file's page size
     * @throws LinuxException EFAULT if the file was truncated before it, ENOMEM if the host has no memory, EINVAL before
     *     Linux 5.14
     */
    public void populate(long offset) throws LinuxException {
        advise(offset, SharedFile.SMALL_PAGE, MADV_POPULATE_WRITE);
    }

    /**
     * Reads a range into memory.
     *
     * @param offset bytes, a multiple of the file's page size
     * @param length in bytes
     * @throws LinuxException EFAULT if the file was truncated before it or can't be read, ENOMEM if the host has no memory,
     *     EINVAL before Linux 5.14
     */
    public void populateToRead(long offset, long length) throws LinuxException {
        advise(offset, length, MADV_POPULATE_READ);
    }

    /**
     * Removes a range from the memory that counts as used by this process. The file keeps its content.
     *
     * @param offset bytes, a multiple of the file's page size
     * @param length in bytes
     * @throws LinuxException if the call fails
     */
    public void letGo(long offset, long length) throws LinuxException {
        advise(offset, length, MADV_DONTNEED);
    }

    private void advise(long offset, long length, int advice) throws LinuxException {
        if (LibC.madvise(segment.asSlice(offset, length).address(), length, advice) < 0) {
            throw new LinuxException("madvise(" + advice + ")", "a mapping of guest memory", LibC.errno());
        }
    }

    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
