package org.exomem.vhostuser.memory;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;

/**
 * The log that shows a migrating front-end what the back-end wrote (vhost-user, "Migration"): one bit for each 4096 bytes of
 * guest-physical memory, bit {@code p % 8} of byte {@code p / 8} for page {@code p} (VHU-LOG-1). {@link #mark} is used on
 * the VM's event loop.
 */
public final class DirtyLog implements AutoCloseable {
    private static final VarHandle WORD = JAVA_LONG.varHandle();
    /** The largest useful size: a bit for each page below 2^48, as in {@link PageSet}. */
    private static final long MOST_BYTES = PageSet.LIMIT / 8;

    private final Mapping mapping;
    private final MemorySegment words;
    private final long offset;
    private final long pages;

    private DirtyLog(Mapping mapping, long offset, long size) {
        this.mapping = mapping;
        this.words = mapping.segment();
        this.offset = offset;
        this.pages = size * 8;
    }

    /**
     * Maps a log, without the part after the bits of all guest addresses, which would only take address space of the
     * process. The file may be closed afterwards.
     *
     * @param offset of the log's first byte in the file, any number of bytes
     * @param size in bytes, at least 1; offset plus size must be inside the file, or marking throws {@link InternalError}
     * @throws LinuxException if the file can't be mapped
     */
    public static DirtyLog map(SharedFile file, long offset, long size) throws LinuxException {
        long used = Math.min(size, MOST_BYTES);
        long slack = offset & (file.pageSize() - 1);
        // Bits are set by atomic operations on 8 bytes. Words across the log's ends are in its first or last page.
        long wholeWords = (slack + used + 7) & -8;
        return new DirtyLog(Mapping.of(file, offset - slack, wholeWords), slack, used);
    }

    /**
     * Marks the pages of a range as dirty. Atomic, because the front-end clears bits at the same time. Call it after the
     * write that it reports. Ignores pages outside of the log.
     *
     * @param address guest-physical address of the first byte
     * @param length in bytes; 0 or less marks nothing
     * @throws InternalError if the log's file was truncated
     */
    public void mark(long address, long length) {
        if (length <= 0) {
            return;
        }
        long last = Math.min(Pages.floor(address + length - 1), pages - 1);
        for (long page = Pages.floor(address); page <= last; page++) {
            // Little-endian words: bit p % 8 of byte b is bit b % 8 * 8 + p % 8 of word b / 8. Release: after the write
            // itself.
            long at = offset + (page >>> 3);
            WORD.getAndBitwiseOrRelease(words, at & -8, 1L << (((at & 7) << 3) | (page & 7)));
        }
    }

    @Override
    public void close() {
        mapping.close();
    }
}
