package org.exomem.vhostuser.memory;

import java.lang.foreign.MemorySegment;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.jspecify.annotations.Nullable;

/**
 * A contiguous range of guest memory, mapped from a file (vhost-user, "Memory regions description"). All numbers are
 * bytes. Owns its mapping and its descriptor of the file.
 */
public final class MemoryRegion implements AutoCloseable {
    private final long guestAddress;
    private final long size;
    private final long userAddress;
    private final long fileOffset;
    private final SharedFile file;
    private final Mapping mapping;
    private final MemorySegment segment;
    /** Null if all pages are here, as always but in a migration. */
    private @Nullable LatePages latePages;

    private MemoryRegion(
            long guestAddress, long size, long userAddress, long fileOffset, SharedFile file, Mapping mapping) {
        this.guestAddress = guestAddress;
        this.size = size;
        this.userAddress = userAddress;
        this.fileOffset = fileOffset;
        this.file = file;
        this.mapping = mapping;
        // A front-end may ask for an offset that is no multiple of the page size; the mapping starts below it.
        this.segment = mapping.segment().asSlice(mapping.segment().byteSize() - size, size);
    }

    /**
     * Maps a region and takes ownership of the file, also when mapping fails.
     *
     * @param guestAddress guest-physical address of the first byte
     * @param size bytes, at least 1; {@code guestAddress + size} must not wrap
     * @param userAddress the front-end's own address of the first byte, used in ring addresses
     * @param fileOffset where the region starts in the file; the region must lie inside the file
     */
    public static MemoryRegion map(long guestAddress, long size, long userAddress, long fileOffset, SharedFile file)
            throws LinuxException {
        try {
            long slack = fileOffset & (file.pageSize() - 1);
            Mapping mapping = Mapping.of(file, fileOffset - slack, size + slack);
            return new MemoryRegion(guestAddress, size, userAddress, fileOffset, file, mapping);
        } catch (LinuxException e) {
            file.close();
            throw e;
        }
    }

    /** The guest-physical address of the first byte. */
    public long guestAddress() {
        return guestAddress;
    }

    /** Bytes, at least 1. */
    public long size() {
        return size;
    }

    /** The front-end's own address of the first byte. */
    public long userAddress() {
        return userAddress;
    }

    /** Where the region starts in its {@link #file}. */
    public long fileOffset() {
        return fileOffset;
    }

    /** The file that backs the region; the region's own. */
    public SharedFile file() {
        return file;
    }

    /** The region's bytes; index 0 is {@link #guestAddress}. */
    public MemorySegment segment() {
        return segment;
    }

    /** From now on pages may be missing; with null, none is. On the event loop, as {@link #latePages} and {@link #requireHere}. */
    public void comesBy(@Nullable LatePages pages) {
        latePages = pages;
    }

    /** What knows which pages are here; null if all are. Closed with the region. */
    public @Nullable LatePages latePages() {
        return latePages;
    }

    /**
     * To be called before bytes of the region are touched that were not asked for before.
     *
     * @param offset of the first byte; the range lies in the region
     * @param length bytes, at least 1
     * @throws PagesLate if some are not here; they are asked for
     */
    public void requireHere(long offset, long length) {
        LatePages pages = latePages;
        if (pages != null && !pages.areHere(offset, length)) {
            throw PagesLate.INSTANCE;
        }
    }

    /** True if the guest address lies in the region. */
    public boolean contains(long address) {
        return Long.compareUnsigned(address - guestAddress, size) < 0;
    }

    /** True if the front-end's own address lies in the region. */
    public boolean containsUser(long address) {
        return Long.compareUnsigned(address - userAddress, size) < 0;
    }

    @Override
    public void close() {
        LatePages pages = latePages;
        if (pages != null) {
            latePages = null;
            pages.close();
        }
        mapping.close();
        file.close();
    }

    @Override
    public String toString() {
        return String.format("[%#x, %#x) of file %s", guestAddress, guestAddress + size, file.identity());
    }
}
