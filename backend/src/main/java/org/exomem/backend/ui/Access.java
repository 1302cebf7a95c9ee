package org.exomem.backend.ui;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.util.NetUtil;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Optional;

/**
 * Who may see the page, and who may change something by it. Whoever has the token of a file that only the user can read has the
 * right to the control socket. A page of a foreign name may not ask at all: a name that is made to mean this host would be in {@code Host}.
 *
 * @param token empty if nothing may be changed, and the page is for this host
 * @param onlyThisHost whether others than this host's users can't reach the page
 * @param changes whether anything may be changed with the token
 */
record Access(Optional<String> token, boolean onlyThisHost, boolean changes) {
    private static final String BEARER = "Bearer ";

    /** True if a page goes to this host with a number, or its own name, in place of a name. */
    boolean isForThisPage(HttpHeaders headers) {
        String host = headers.get(HttpHeaderNames.HOST, "");
        String origin = headers.get(HttpHeaderNames.ORIGIN, "");
        return isNumber(withoutPort(host)) && (origin.isEmpty() || origin.equals("http://" + host));
    }

    boolean maySee(HttpHeaders headers) {
        return isForThisPage(headers) && (onlyThisHost || hasToken(headers));
    }

    /** Only with an origin, which all browsers send with what changes something. */
    boolean mayChange(HttpHeaders headers) {
        return changes && isForThisPage(headers) && headers.contains(HttpHeaderNames.ORIGIN) && hasToken(headers);
    }

    private boolean hasToken(HttpHeaders headers) {
        String given = headers.get(HttpHeaderNames.AUTHORIZATION, "");
        return token.isPresent()
                && given.startsWith(BEARER)
                // Takes as long for each wrong one.
                && MessageDigest.isEqual(
                        given.substring(BEARER.length()).getBytes(StandardCharsets.UTF_8),
                        token.get().getBytes(StandardCharsets.UTF_8));
    }

    private static String withoutPort(String host) {
        int colon = host.lastIndexOf(':');
        boolean hasPort = colon > host.lastIndexOf(']');
        String name = hasPort ? host.substring(0, colon) : host;
        return name.startsWith("[") && name.endsWith("]") ? name.substring(1, name.length() - 1) : name;
    }

    private static boolean isNumber(String host) {
        return host.equals("localhost") || NetUtil.isValidIpV4Address(host) || NetUtil.isValidIpV6Address(host);
    }

    /** True if only this host's users reach an address. */
    static boolean isOfThisHost(InetAddress address) {
        return address.isLoopbackAddress();
    }
}
