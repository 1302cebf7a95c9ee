package org.exomem.embedded;

import java.util.concurrent.CompletableFuture;

/**
 * A task that a processor of the guest does once, in steps.
 *
 * @param kind what to do
 * @param pages for how many pages
 * @param done completed by the processor
 */
record Job(Kind kind, long pages, CompletableFuture<Boolean> done) {
    enum Kind {
        /** Take pages and write them. Ends early, with false, when there are none. */
        FILL,
        /** Release pages, the last taken first. Ends early, with false, when there are none. */
        FREE,
        /** Verify all pages. */
        CHECK
    }

    Job(Kind kind, long pages) {
        this(kind, pages, new CompletableFuture<>());
    }
}
