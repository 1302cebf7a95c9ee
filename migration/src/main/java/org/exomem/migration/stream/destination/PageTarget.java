package org.exomem.migration.stream.destination;

import java.lang.foreign.MemorySegment;
import org.exomem.migration.PageSink;

/**
 * The destination's memory. Unlike other sinks, it is used by the threads of all data connections at the same time. All
 * pages are within the described memory. Contents of the same page come in the right order.
 */
public interface PageTarget extends PageSink, AutoCloseable {
    /** A target that never receives pages. */
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
