package org.exomem.backend.http;

import java.util.concurrent.CompletableFuture;

/** The page at a path. */
@FunctionalInterface
public interface HttpPage {
    /** Returns the present page. Called on the server's thread, and must not wait. The future may complete on any thread. */
    CompletableFuture<HttpAnswer> answer(HttpRequest request);
}
