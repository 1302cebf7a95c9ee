package org.exomem.migration;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * A guest's memory as pages, numbered from 0 without gaps. The guest may write it at any time. Safe for use by several
 * threads.
 */
public interface GuestPages {
    /** The number of pages. */
    long pages();

    /** Bytes in a page, a power of two, at least 8. */
    int pageSize();

    /**
     * The first page at or after {@code from} that may have data, or {@link #pages()}. All pages before it are zeros.
     *
     * @throws IOException if the memory can't be examined
     */
    long nextData(long from) throws IOException;

    /**
     * The first page at or after {@code from} that has no data, or {@link #pages()}.
     *
     * @throws IOException if the memory can't be examined
     */
    long nextHole(long from) throws IOException;

    /**
     * Copies the present content of pages. Never allocates memory for a hole. If the guest writes a page meanwhile, the copy
     * may have parts of both contents; the caller must learn of the write elsewhere.
     *
     * @param first number of the first page
     * @param into whole pages, native memory, aligned to 8
     * @throws IOException if the memory can't be read
     */
    void read(long first, MemorySegment into) throws IOException;
}
