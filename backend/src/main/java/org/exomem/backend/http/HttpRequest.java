package org.exomem.backend.http;

import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.QueryStringDecoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A client's request. Only its length was checked.
 *
 * @param method such as GET; one that the page's route accepts
 * @param path decoded, without the part after a question mark
 * @param query the parameters after the question mark, decoded
 * @param body empty for GET and HEAD
 */
// The bytes belong to one request and are not kept.
@SuppressWarnings("ArrayRecordComponent")
public record HttpRequest(
        String method, String path, Map<String, List<String>> query, HttpHeaders headers, byte[] body) {
    /** @throws IllegalArgumentException if the address is not valid */
    static HttpRequest of(String method, String uri, HttpHeaders headers, byte[] body) {
        QueryStringDecoder decoder = new QueryStringDecoder(uri);
        return new HttpRequest(method, decoder.path(), decoder.parameters(), headers, body);
    }

    /** The first header of that name, empty if there is none. */
    public String header(CharSequence name) {
        return headers.get(name, "");
    }

    /** The first parameter of that name, if it is present and not empty. */
    public Optional<String> parameter(String name) {
        return query.getOrDefault(name, List.of()).stream().findFirst().filter(value -> !value.isEmpty());
    }

    /** The body, decoded as UTF-8. */
    public String text() {
        return new String(body, StandardCharsets.UTF_8);
    }
}
