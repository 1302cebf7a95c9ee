package org.exomem.migration;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * A channel of the stream, which takes pages to the destination. Used by one thread at a time. Pages of two sinks may
 * overtake each other until the next {@link RoundBarrier}.
 *
 * <p>All pages of a destination are zeros at the beginning. A later content of a page replaces an earlier one.
 *
 * <p>If a sink fails with a {@link ConnectionLostException}, all sinks have lost the connection: none of them waits for long
 * any more, and each fails in the same way.
 */
public interface PageSink {
    /**
     * Sends pages with their content. The memory may be reused when this returns.
     *
     * @param first number of the first page
     * @param content whole pages, native memory
     * @throws IOException if the destination refuses them, or the connection is lost
     */
    void pages(long first, MemorySegment content) throws IOException;

    /**
     * Sends that {@code count} pages from {@code first} on are zeros.
     *
     * @throws IOException if the destination refuses them, or the connection is lost
     */
    void zeros(long first, long count) throws IOException;

    /**
     * Announces that {@code count} pages from {@code first} on are not sent, because their content is not needed. Comes
     * after the last round that sent any of these pages.
     *
     * @throws IOException if the destination refuses it, or the connection is lost
     */
    void free(long first, long count) throws IOException;
}
