package org.exomem.migration;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Where pages go: one channel of the stream to the destination. Used by one thread at a time. Pages of two sinks may
 * overtake each other until the next {@link RoundBarrier}.
 *
 * <p>A destination begins with all pages zero. What comes later for a page replaces what came before.
 *
 * <p>A sink that fails with a {@link ConnectionLostException} has lost the connection, and so have all others: none of them
 * waits for long any more, and each fails in the same way.
 */
public interface PageSink {
    /**
     * Sends pages with their content, which is used up when this returns.
     *
     * @param first number of the first page
     * @param content a whole number of pages, native memory
     */
    void pages(long first, MemorySegment content) throws IOException;

    /** Sends that {@code count} pages from {@code first} on read as zeros. */
    void zeros(long first, long count) throws IOException;

    /**
     * Sends that {@code count} pages from {@code first} on are not sent, because their content is not needed.
     * Comes after the last round that a page had any part in.
     */
    void free(long first, long count) throws IOException;
}
