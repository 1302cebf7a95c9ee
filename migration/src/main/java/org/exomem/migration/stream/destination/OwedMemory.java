package org.exomem.migration.stream.destination;

import java.util.concurrent.CompletableFuture;
import org.exomem.migration.PageSink;
import org.exomem.pages.PageBits;

/**
 * A destination's memory while pages are owed to its guest. Pages that are given twice are there already, and stay as they are. Safe
 * for use by several threads.
 */
public interface OwedMemory {
    /** Where pages of one data connection go. For one thread. */
    PageSink sink();

    /** What has not arrived now, as a copy. */
    PageBits owed();

    /** The source has come back: whoever waits asks for its page again. */
    void again();

    /** The guest does not begin here: whoever waits goes on, with whatever is there. May be called while pages come. */
    void abandon();

    /** Completes when all pages have arrived; never if they do not. */
    CompletableFuture<Void> arrived();
}
