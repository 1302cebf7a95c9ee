package org.exomem.backend.http;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.util.NetUtil;
import java.util.List;

/**
 * Which requests are answered at all. A page of a foreign host can have its name mean this host, and then a browser asks here as if
 * it asked there: that name is in {@code Host}. So without TLS, by which a browser would notice, this host is asked by a number or as
 * {@code localhost}. And what a page asks must come from here: a browser says from where in {@code Origin}.
 */
final class HostRule {
    /** For who is refused. */
    static final String REFUSAL = "ask by the address, such as 127.0.0.1, or as localhost, not by another name\n";

    private HostRule() {}

    static boolean allows(HttpVersion version, HttpHeaders headers, boolean tls) {
        List<String> hosts = headers.getAll(HttpHeaderNames.HOST);
        List<String> origins = headers.getAll(HttpHeaderNames.ORIGIN);
        if (hosts.isEmpty() && origins.isEmpty() && version.equals(HttpVersion.HTTP_1_0)) {
            // No browser.
            return true;
        }
        if (hosts.size() != 1 || origins.size() > 1) {
            return false;
        }
        String host = hosts.getFirst();
        String here = (tls ? "https://" : "http://") + host;
        return (tls || isThisHost(withoutPort(host)))
                && (origins.isEmpty() || origins.getFirst().equals(here));
    }

    private static String withoutPort(String host) {
        int colon = host.lastIndexOf(':');
        boolean hasPort = colon > host.lastIndexOf(']');
        String name = hasPort ? host.substring(0, colon) : host;
        return name.startsWith("[") && name.endsWith("]") ? name.substring(1, name.length() - 1) : name;
    }

    private static boolean isThisHost(String host) {
        return host.equals("localhost") || NetUtil.isValidIpV4Address(host) || NetUtil.isValidIpV6Address(host);
    }
}
