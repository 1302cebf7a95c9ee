package org.exomem.backend.command;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.exomem.backend.config.ConfigException;

/** Where a page is served: {@code ADDRESS:PORT}. */
final class UiAddress {
    /** On this host only. */
    static final String USUAL = "127.0.0.1:8747";

    private static final int MOST_PORT = 65535;

    private UiAddress() {}

    /** @throws ConfigException if it is no address with a port; names are not looked up, but for localhost */
    static InetSocketAddress parse(String option, String text) throws ConfigException {
        int colon = text.lastIndexOf(':');
        String host = colon < 0 ? "" : text.substring(0, colon);
        try {
            int port = Integer.parseInt(text.substring(colon + 1));
            if (!host.isEmpty() && port >= 0 && port <= MOST_PORT) {
                return new InetSocketAddress(
                        host.equals("localhost") ? InetAddress.getLoopbackAddress() : InetAddress.ofLiteral(host),
                        port);
            }
        } catch (IllegalArgumentException e) {
            // Said below.
        }
        throw new ConfigException(option + ": \"" + text + "\" is not ADDRESS:PORT, like " + USUAL);
    }

    /** For people: the page at that address. */
    static String url(InetSocketAddress address) {
        String host = address.getAddress().getHostAddress();
        return "http://" + (host.contains(":") ? "[" + host + "]" : host) + ":" + address.getPort() + "/";
    }
}
