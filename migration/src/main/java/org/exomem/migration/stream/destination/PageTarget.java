package org.exomem.migration.stream.destination;

import java.lang.foreign.MemorySegment;
import org.exomem.migration.PageSink;

/**
 * The destination's memory. Unlike other sinks it is used by the threads of all data connections at once. Everything that it
 * is given lies within the memory that was described. What is given twice for one page comes in the right order.
 */
public interface PageTarget extends PageSink, AutoCloseable {
    /** Takes nothing. */
    PageTarget NONE = new PageTarget() {
        @Override
        public void pages(long first, MemorySegment content) {
            throw new IllegalStateException("no pages are expected");
        }

        @Override
        public void zeros(long first, long count) {
            throw new IllegalStateException("no pages are expected");
        }

        @Override
        public void free(long first, long count) {
            throw new IllegalStateException("no pages are expected");
        }

        @Override
        public void close() {}
    };

    /** Called once, when it is not in use any more. */
    @Override
    void close();
}
