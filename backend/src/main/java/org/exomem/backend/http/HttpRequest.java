package org.exomem.backend.http;

import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.QueryStringDecoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a client asks for. Its length is checked, nothing else.
 *
 * @param method such as GET; one that the page's route takes
 * @param path decoded, without what follows a question mark
 * @param query decoded: what follows it
 * @param body empty for GET and HEAD
 */
// The bytes are of one request, and nobody keeps them.
@SuppressWarnings("ArrayRecordComponent")
public record HttpRequest(
        String method, String path, Map<String, List<String>> query, HttpHeaders headers, byte[] body) {
    /** @throws IllegalArgumentException if the address is none */
    static HttpRequest of(String method, String uri, HttpHeaders headers, byte[] body) {
        QueryStringDecoder decoder = new QueryStringDecoder(uri);
        return new HttpRequest(method, decoder.path(), decoder.parameters(), headers, body);
    }

    /** The first header of that name, empty if there is none. */
    public String header(CharSequence name) {
        return headers.get(name, "");
    }

    /** The first parameter of that name, if it is there and not empty. */
    public Optional<String> parameter(String name) {
        return query.getOrDefault(name, List.of()).stream().findFirst().filter(value -> !value.isEmpty());
    }

    /** The body, taken for UTF-8. */
    public String text() {
        return new String(body, StandardCharsets.UTF_8);
    }
}
