package org.exomem.migration.stream.destination;

import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.exomem.migration.PageSink;
import org.exomem.pages.PageBits;

/**
 * A destination's memory while pages are owed to its guest. Pages that are given twice are there already, and stay as they are. Safe
 * for use by several threads.
 */
public interface PostCopyMemory {
    /**
     * Where pages of one data connection go. For one thread, which may wait there until the host has memory for them.
     *
     * @param counts false when the connection is lost: what comes over it comes again, and nobody is to wait any more
     */
    PageSink sink(BooleanSupplier counts);

    /** True while the host has no memory for what comes, so that a page may be late though it has come. */
    default boolean isFull() {
        return false;
    }

    /** What has not arrived now, as a copy. */
    PageBits owed();

    /** The source has come back: whoever waits asks for its page again. */
    void again();

    /** The guest does not begin here: whoever waits goes on, with whatever is there. May be called while pages come. */
    void abandon();

    /** Completes when all pages have arrived; never if they do not. */
    CompletableFuture<Void> arrived();
}
