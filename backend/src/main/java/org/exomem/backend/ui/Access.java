package org.exomem.backend.ui;

import io.netty.handler.codec.http.HttpHeaderNames;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Optional;
import org.exomem.backend.http.HttpRequest;

/**
 * Decides who may change something by the page. A user who can read the token's file also has access to the control socket.
 *
 * @param token empty if the page can't change anything
 */
record Access(Optional<String> token) {
    private static final String BEARER = "Bearer ";

    /** True if the page can change anything. */
    boolean changes() {
        return token.isPresent();
    }

    /** Requires an origin, which all browsers send with such requests, and which the server has checked. */
    boolean mayChange(HttpRequest request) {
        String given = request.header(HttpHeaderNames.AUTHORIZATION);
        return token.isPresent()
                && !request.header(HttpHeaderNames.ORIGIN).isEmpty()
                && given.startsWith(BEARER)
                // Takes the same time for each wrong token.
                && MessageDigest.isEqual(
                        given.substring(BEARER.length()).getBytes(StandardCharsets.UTF_8),
                        token.get().getBytes(StandardCharsets.UTF_8));
    }
}
