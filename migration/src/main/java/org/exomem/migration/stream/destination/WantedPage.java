package org.exomem.migration.stream.destination;

import java.io.IOException;

/** Asks the source for a page that is owed. Safe for use by several threads. */
@FunctionalInterface
public interface WantedPage {
    /**
     * Somebody waits for a page: it comes before all others.
     *
     * @throws IOException if there is no connection to the source now
     */
    void ask(long page) throws IOException;
}
