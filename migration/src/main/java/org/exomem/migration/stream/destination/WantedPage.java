package org.exomem.migration.stream.destination;

import java.io.IOException;

/** Requests an owed page from the source. Safe for use by several threads. */
@FunctionalInterface
public interface WantedPage {
    /**
     * Requests a page that a thread waits for; it is sent before all others.
     *
     * @throws IOException if there is no connection to the source now
     */
    void ask(long page) throws IOException;
}
