package org.exomem.migration.stream.destination;

import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.exomem.migration.PageSink;
import org.exomem.pages.PageBits;

/**
 * A destination's memory while pages are owed to its guest. A page that is given twice is present the second time, and does
 * not change. Safe for use by several threads.
 */
public interface PostCopyMemory {
    /**
     * Returns the sink for the pages of one data connection. For one thread, which may wait in it until the host has memory.
     *
     * @param counts false when the connection is lost: its pages will come again, and the sink must not wait any more
     */
    PageSink sink(BooleanSupplier counts);

    /** True while the host has no memory, so that a page may be late although it was received. */
    default boolean isFull() {
        return false;
    }

    /** A copy of the set of pages that have not arrived. */
    PageBits owed();

    /** The source has connected again: pages that threads wait for are requested again. */
    void again();

    /** The guest does not begin here: threads that wait go on with the present content. May be called while pages arrive. */
    void abandon();

    /** Completes when all pages have arrived; never if they do not. */
    CompletableFuture<Void> arrived();
}
