package org.exomem.linux;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;

/** Finds the parts of a file that are in the host's memory, with {@code mincore}. */
public final class ResidentPages {
    private static final int PROT_READ = 1;
    private static final int MAP_SHARED = 1;
    private static final int MAP_NORESERVE = 0x4000;
    /** The bytes of the file in one request. */
    private static final long WINDOW = 1L << 30;

    private ResidentPages() {}

    /**
     * Returns how many bytes of the file are in memory, in whole pages. Pages that are swapped out, only on disk, or holes
     * do not count. The kernel reports this only for files that this process may write; of other files, everything counts.
     *
     * @throws LinuxException if the file can't be mapped
     */
    public static long bytes(SharedFile file) throws LinuxException {
        long size = file.size();
        MemorySegment pages = NativeBuffer.ofSize(WINDOW / SharedFile.SMALL_PAGE);
        long resident = 0;
        for (long at = 0; at < size; at += WINDOW) {
            resident += bytes(file, at, Math.min(WINDOW, size - at), pages);
        }
        return resident;
    }

    /**
     * Finds the pages of a part of the file that are in memory. The kernel examines each page: about 10 ms for a GiB. Unlike
     * a search for holes, it does not lock the file meanwhile.
     *
     * @param offset of the first byte in the file, a multiple of the file's page size
     * @param length bytes, a multiple of 4096
     * @param pages a byte for each 4096 bytes; its lowest bit is set if they are in memory
     * @throws LinuxException if the file can't be mapped
     */
    public static void of(SharedFile file, long offset, long length, MemorySegment pages) throws LinuxException {
        // A mapping of huge pages has only whole ones.
        long mapped = (length + file.pageSize() - 1) & -file.pageSize();
        long address = LibC.mmap(
                0, mapped, PROT_READ, MAP_SHARED | MAP_NORESERVE, file.fd().number(), offset);
        if (address == -1) {
            throw new LinuxException("mmap", file.toString(), LibC.errno());
        }
        try {
            if (LibC.mincore(address, length, pages.address()) < 0) {
                throw new LinuxException("mincore", file.toString(), LibC.errno());
            }
        } finally {
            LibC.munmap(address, mapped);
        }
    }

    private static long bytes(SharedFile file, long offset, long length, MemorySegment pages) throws LinuxException {
        of(file, offset, length, pages);
        long resident = 0;
        long count = (length + SharedFile.SMALL_PAGE - 1) / SharedFile.SMALL_PAGE;
        for (long page = 0; page < count; page++) {
            resident += pages.get(JAVA_BYTE, page) & 1;
        }
        return resident * SharedFile.SMALL_PAGE;
    }
}
