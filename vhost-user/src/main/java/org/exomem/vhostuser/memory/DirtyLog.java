package org.exomem.vhostuser.memory;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.exomem.vhostuser.linux.LinuxException;
import org.exomem.vhostuser.linux.Mapping;
import org.exomem.vhostuser.linux.SharedFile;

/**
 * The log in which a front-end that migrates sees what the back-end wrote (vhost-user, "Migration"): one bit for each
 * 4096 bytes of guest-physical memory, bit {@code p % 8} of byte {@code p / 8} for page {@code p}.
 */
public final class DirtyLog implements AutoCloseable {
    private static final int PAGE_SHIFT = 12;
    private static final VarHandle WORD = JAVA_LONG.varHandle();

    private final Mapping mapping;
    private final MemorySegment bits;
    private final long pages;

    private DirtyLog(Mapping mapping, long offset, long size) {
        this.mapping = mapping;
        this.bits = mapping.segment().asSlice(offset);
        this.pages = size * 8;
    }

    /**
     * Maps a log of {@code size} bytes at {@code offset} of the file; both are multiples of 8, as the bits are set by
     * atomic operations on 8 bytes. The file may be closed afterwards.
     */
    public static DirtyLog map(SharedFile file, long offset, long size) throws LinuxException {
        long slack = offset & (file.pageSize() - 1);
        return new DirtyLog(Mapping.of(file, offset - slack, size + slack), slack, size);
    }

    /** The number of 4096-byte pages that the log has room for. */
    public long pages() {
        return pages;
    }

    /** True if every page of the range has a bit in the log. */
    public boolean covers(long address, long length) {
        long last = address + length - 1;
        return Long.compareUnsigned(last, address) >= 0 && (last >>> PAGE_SHIFT) < pages;
    }

    /**
     * Marks the pages of a range dirty. Atomic, because the front-end clears bits at the same time; the memory write
     * that it tells of must come first. Pages outside the log are left out.
     */
    public void mark(long address, long length) {
        if (length <= 0) {
            return;
        }
        long last = Math.min((address + length - 1) >>> PAGE_SHIFT, pages - 1);
        for (long page = address >>> PAGE_SHIFT; page <= last; page++) {
            // Little-endian words: bit p % 64 of word p / 64 is bit p % 8 of byte p / 8. Release: after the write
            // itself.
            WORD.getAndBitwiseOrRelease(bits, (page >>> 6) << 3, 1L << (page & 63));
        }
    }

    @Override
    public void close() {
        mapping.close();
    }
}
