package org.exomem.backend.http;

import java.nio.charset.StandardCharsets;

/**
 * What a client gets.
 *
 * @param status of HTTP, such as 200
 * @param type the content type
 */
// The bytes are made for one answer, and nobody keeps them.
@SuppressWarnings("ArrayRecordComponent")
public record HttpAnswer(int status, String type, byte[] body) {
    public static final int OK = 200;
    public static final int UNAVAILABLE = 503;

    private static final String TEXT = "text/plain; charset=utf-8";

    /** Words. */
    public static HttpAnswer text(int status, String text) {
        return new HttpAnswer(status, TEXT, text.getBytes(StandardCharsets.UTF_8));
    }
}
