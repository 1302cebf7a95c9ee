package org.exomem.backend.http;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.util.NetUtil;
import java.util.List;

/**
 * Rejects requests to this host under another name. A web page of another host can make its own name resolve to this host;
 * then a browser sends requests here as if to that host, with the name in {@code Host}. With TLS a browser would notice
 * that. Without TLS, only numeric addresses and {@code localhost} are accepted. Requests of a page must also come from this
 * server: a browser names the source in {@code Origin}.
 */
final class HostRule {
    /** The message for rejected clients. */
    static final String REFUSAL = "use the address, such as 127.0.0.1, or localhost, not another host name\n";

    private HostRule() {}

    static boolean allows(HttpVersion version, HttpHeaders headers, boolean tls) {
        List<String> hosts = headers.getAll(HttpHeaderNames.HOST);
        List<String> origins = headers.getAll(HttpHeaderNames.ORIGIN);
        if (hosts.isEmpty() && origins.isEmpty() && version.equals(HttpVersion.HTTP_1_0)) {
            // It is no browser.
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
