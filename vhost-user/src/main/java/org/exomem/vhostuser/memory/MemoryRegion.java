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
    /** Null if all pages are present, as always except in a migration or a clone. */
    private @Nullable LatePages latePages;

    private MemoryRegion(
            long guestAddress, long size, long userAddress, long fileOffset, SharedFile file, Mapping mapping) {
        this.guestAddress = guestAddress;
        this.size = size;
        this.userAddress = userAddress;
        this.fileOffset = fileOffset;
        this.file = file;
        this.mapping = mapping;
        // A front-end may request an offset that is no multiple of the page size; the mapping starts below it.
        this.segment = mapping.segment().asSlice(mapping.segment().byteSize() - size, size);
    }

    /**
     * Maps a region, and owns the file from now on, also when mapping fails.
     *
     * @param guestAddress guest-physical address of the first byte
     * @param size in bytes, at least 1; {@code guestAddress + size} must not wrap
     * @param userAddress the front-end's own address of the first byte, used in ring addresses
     * @param fileOffset of the region in the file; the region must be inside the file
     * @throws LinuxException if it can't be mapped
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

    /** The offset of the region in its {@link #file}. */
    public long fileOffset() {
        return fileOffset;
    }

    /** The file of the region, owned by it. */
    public SharedFile file() {
        return file;
    }

    /** The region's bytes; index 0 is {@link #guestAddress}. */
    public MemorySegment segment() {
        return segment;
    }

    /**
     * Sets the object that knows the missing pages; null if none are missing. On the event loop, as {@link #latePages} and
     * {@link #requireHere}.
     */
    public void comesBy(@Nullable LatePages pages) {
        latePages = pages;
    }

    /** The object that knows the missing pages; null if none are missing. Closed with the region. */
    public @Nullable LatePages latePages() {
        return latePages;
    }

    /**
     * Must be called before bytes of the region are touched for the first time.
     *
     * @param offset of the first byte; the range is in the region
     * @param length in bytes, at least 1
     * @throws PagesLate if pages are missing; they are requested
     */
    public void requireHere(long offset, long length) {
        LatePages pages = latePages;
        if (pages != null && !pages.areHere(offset, length)) {
            throw PagesLate.INSTANCE;
        }
    }

    /** True if the guest address is in the region. */
    public boolean contains(long address) {
        return Long.compareUnsigned(address - guestAddress, size) < 0;
    }

    /** True if the front-end's own address is in the region. */
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
