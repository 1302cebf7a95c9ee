package org.exomem.backend.http;

import java.util.concurrent.CompletableFuture;

/** What is at a path. */
@FunctionalInterface
public interface HttpPage {
    /** The page as it is now. Called on the server's thread, and must not wait; completes on any thread. */
    CompletableFuture<HttpAnswer> answer(HttpRequest request);
}
