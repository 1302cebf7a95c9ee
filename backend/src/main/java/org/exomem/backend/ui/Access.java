package org.exomem.backend.ui;

import io.netty.handler.codec.http.HttpHeaderNames;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Optional;
import org.exomem.backend.http.HttpRequest;

/**
 * Who may change something by the page. Whoever has the token of a file that only the user can read has the right to the control
 * socket.
 *
 * @param token empty if nothing may be changed
 */
record Access(Optional<String> token) {
    private static final String BEARER = "Bearer ";

    /** Whether anything may be changed by anybody. */
    boolean changes() {
        return token.isPresent();
    }

    /** Only with an origin, which all browsers send with what changes something, and which the server has looked at. */
    boolean mayChange(HttpRequest request) {
        String given = request.header(HttpHeaderNames.AUTHORIZATION);
        return token.isPresent()
                && !request.header(HttpHeaderNames.ORIGIN).isEmpty()
                && given.startsWith(BEARER)
                // Takes as long for each wrong one.
                && MessageDigest.isEqual(
                        given.substring(BEARER.length()).getBytes(StandardCharsets.UTF_8),
                        token.get().getBytes(StandardCharsets.UTF_8));
    }
}
