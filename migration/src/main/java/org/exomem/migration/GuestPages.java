package org.exomem.migration;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * A guest's memory as pages numbered from 0 on, without gaps. The guest writes it at any time. May be used by several
 * threads at once.
 */
public interface GuestPages {
    /** The number of pages. */
    long pages();

    /** Bytes in a page, a power of two, at least 8. */
    int pageSize();

    /** The first page at or after {@code from} that may have data, or {@link #pages()}; the rest before it reads as zeros. */
    long nextData(long from) throws IOException;

    /** The first page at or after {@code from} that has no data, or {@link #pages()}. */
    long nextHole(long from) throws IOException;

    /**
     * Copies pages as they are now. Never allocates memory for a hole. A page that the guest writes meanwhile may come
     * torn; the reader has to know from elsewhere that it was written.
     *
     * @param first number of the first page
     * @param into a whole number of pages, native, aligned to 8
     */
    void read(long first, MemorySegment into) throws IOException;
}
