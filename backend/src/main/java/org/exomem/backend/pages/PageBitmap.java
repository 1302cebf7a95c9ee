package org.exomem.backend.pages;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import org.exomem.linux.Fd;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.pages.BitWords;
import org.exomem.pages.Pages;

/**
 * The file that is shared with a VMM's engine (spec/pages.md, "The file"): a header, and from offset 4096 on a bit for each page
 * of guest-physical memory, in the format of vhost-user's log. In the host's byte order, which is little-endian. One thread
 * writes; the VMM may read at any time, and may write anything.
 *
 * <pre>
 *  0 u64 magic
 *  8 u32 version
 * 12 u32 where the bits begin
 * 16 u64 pages
 * 24 u32 bytes of a page
 * 28 u32 session    of the hints that count, 0 without
 * 32 u64 changes    one more after each change
 * 40 u64 losses     how often everything was forgotten
 * 48 u64 wanted     written by the reader, all else by exomem
 * 56 u64 done       the last wanted number that is done
 * 64     zero
 * </pre>
 */
final class PageBitmap implements AutoCloseable {
    /** "exmPAGES" as bytes. */
    static final long MAGIC = 0x53454741506d7865L;

    static final int VERSION = 1;
    private static final int HEADER = 4096;
    private static final int AT_VERSION = 8;
    private static final int AT_HEADER = 12;
    private static final int AT_PAGES = 16;
    private static final int AT_PAGE_SIZE = 24;
    private static final int AT_SESSION = 28;
    private static final int AT_CHANGES = 32;
    private static final int AT_LOSSES = 40;
    private static final int AT_WANTED = 48;
    private static final int AT_DONE = 56;

    private static final VarHandle INT = JAVA_INT.varHandle();
    private static final VarHandle LONG = JAVA_LONG.varHandle();

    private final SharedFile file;
    private final Mapping mapping;
    private final MemorySegment memory;
    private final long pages;
    private long changes;
    private long losses;

    private PageBitmap(SharedFile file, Mapping mapping, long pages) {
        this.file = file;
        this.mapping = mapping;
        this.memory = mapping.segment();
        this.pages = pages;
    }

    /**
     * Makes a file for this number of pages, none of them free.
     *
     * @throws LinuxException if it can't be allocated
     */
    static PageBitmap of(long pages) throws LinuxException {
        long words = (pages + Long.SIZE - 1) / Long.SIZE;
        long size = HEADER + Pages.bytes(Pages.ceil(words * Long.BYTES));
        SharedFile file = SharedFile.memfd("exomem-pages", size);
        try {
            PageBitmap bitmap = new PageBitmap(file, Mapping.of(file, 0, size), pages);
            bitmap.memory.set(JAVA_LONG, 0, MAGIC);
            bitmap.memory.set(JAVA_INT, AT_VERSION, VERSION);
            bitmap.memory.set(JAVA_INT, AT_HEADER, HEADER);
            bitmap.memory.set(JAVA_LONG, AT_PAGES, pages);
            bitmap.memory.set(JAVA_INT, AT_PAGE_SIZE, Pages.SIZE);
            return bitmap;
        } catch (LinuxException e) {
            file.close();
            throw e;
        }
    }

    Fd fd() {
        return file.fd();
    }

    long pages() {
        return pages;
    }

    /** Adds pages; ignores those after the end. */
    void add(long first, long count) {
        for (long page = first, end = end(first, count); page < end; page = BitWords.nextWord(page)) {
            LONG.getAndBitwiseOr(memory, at(BitWords.index(page)), BitWords.mask(page, end));
        }
    }

    /** Removes pages; ignores those after the end. */
    void remove(long first, long count) {
        for (long page = first, end = end(first, count); page < end; page = BitWords.nextWord(page)) {
            LONG.getAndBitwiseAnd(memory, at(BitWords.index(page)), ~BitWords.mask(page, end));
        }
    }

    /** Replaces the bits of 64 pages, the lowest page in bit 0; ignores those after the end. */
    void setWord(long word, long bits) {
        if (word < (pages + Long.SIZE - 1) / Long.SIZE) {
            LONG.setRelease(memory, at(word), bits);
        }
    }

    private long end(long first, long count) {
        return first >= pages ? first : first + Math.min(count, pages - first);
    }

    private static long at(long word) {
        return HEADER + word * Long.BYTES;
    }

    void session(int id) {
        INT.setRelease(memory, AT_SESSION, id);
    }

    /** Counts a change. Call it after the bits were written. */
    void changed() {
        LONG.setRelease(memory, AT_CHANGES, ++changes);
    }

    void lost() {
        LONG.setRelease(memory, AT_LOSSES, ++losses);
    }

    /** The number that the reader wants to see in {@code done}; it may be any number. */
    long wanted() {
        // Acquire: everything that was offered before the request is visible after this.
        return (long) LONG.getAcquire(memory, AT_WANTED);
    }

    /** Reports that the reader's request is done (PAG-BIT-6). Release: after the bits. */
    void done(long wanted) {
        LONG.setRelease(memory, AT_DONE, wanted);
    }

    @Override
    public void close() {
        mapping.close();
        file.close();
    }
}
