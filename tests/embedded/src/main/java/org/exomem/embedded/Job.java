package org.exomem.embedded;

import java.util.concurrent.CompletableFuture;

/**
 * Something that a processor of the guest does once, in steps.
 *
 * @param kind what
 * @param pages how often
 * @param done completed by the processor
 */
record Job(Kind kind, long pages, CompletableFuture<Boolean> done) {
    enum Kind {
        /** Take pages and write them. Ends early, with false, when there are none. */
        FILL,
        /** Give up pages, the last taken first. Ends early, with false, when there are none. */
        FREE,
        /** Verify all pages. */
        CHECK
    }

    Job(Kind kind, long pages) {
        this(kind, pages, new CompletableFuture<>());
    }
}
