package org.exomem.backend.http;

import java.nio.charset.StandardCharsets;
import java.util.concurrent.CompletableFuture;

/** An answer to a client. */
public sealed interface HttpAnswer {
    int OK = 200;
    int BAD_REQUEST = 400;
    int FORBIDDEN = 403;
    int UNAVAILABLE = 503;

    /**
     * An answer that is complete.
     *
     * @param status of HTTP, such as 200
     * @param type the content type
     */
    // The bytes are made for one answer and not kept.
    @SuppressWarnings("ArrayRecordComponent")
    record Whole(int status, String type, byte[] body) implements HttpAnswer {}

    /**
     * An answer that goes on until either end closes it. Its connection takes no other request.
     *
     * @param type the content type
     */
    record Lasting(String type, HttpStream stream) implements HttpAnswer {}

    /** An answer of plain text. */
    static Whole text(int status, String text) {
        return new Whole(status, "text/plain; charset=utf-8", text.getBytes(StandardCharsets.UTF_8));
    }

    /** This answer as a completed future. */
    default CompletableFuture<HttpAnswer> now() {
        return CompletableFuture.completedFuture(this);
    }
}
