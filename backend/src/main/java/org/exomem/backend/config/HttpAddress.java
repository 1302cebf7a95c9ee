package org.exomem.backend.config;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.file.Path;

/** An address for HTTP: {@code unix:PATH}, {@code PORT} of loopback, {@code IPV4:PORT} or {@code [IPV6]:PORT}. */
public sealed interface HttpAddress {
    int MOST_PORT = 0xffff;

    /** A Unix socket, for the process's own user only. */
    record Local(Path socket) implements HttpAddress {
        @Override
        public boolean isLocal() {
            return true;
        }

        @Override
        public String toString() {
            return "unix:" + socket;
        }
    }

    /**
     * A TCP port.
     *
     * @param port 0 for any free port
     */
    record Tcp(InetAddress host, int port) implements HttpAddress {
        @Override
        public boolean isLocal() {
            return host.isLoopbackAddress();
        }

        @Override
        public String toString() {
            String name = host.getHostAddress();
            return (host instanceof Inet4Address ? name : "[" + name + "]") + ":" + port;
        }
    }

    /** The URL for a browser, for people. A Unix socket needs another program, such as {@code ssh -L}. */
    default String url(boolean tls) {
        return this instanceof Tcp ? (tls ? "https://" : "http://") + this + "/" : toString();
    }

    /** True if only this host can connect. */
    boolean isLocal();

    /**
     * Parses an address. Host names are not resolved.
     *
     * @throws ConfigException with the possible forms of an address
     */
    static HttpAddress parse(String text) throws ConfigException {
        if (text.startsWith("unix:")) {
            return new Local(Value.path(text.substring("unix:".length())));
        }
        int colon = text.lastIndexOf(':');
        String host = colon < 0 ? "" : text.substring(0, colon);
        return new Tcp(host(text, host), port(text, text.substring(colon + 1)));
    }

    private static InetAddress host(String text, String host) throws ConfigException {
        if (host.isEmpty() && !text.startsWith(":") || host.equals("localhost")) {
            return InetAddress.getLoopbackAddress();
        }
        boolean brackets = host.startsWith("[") && host.endsWith("]");
        if (host.isEmpty() || !brackets && host.contains(":")) {
            throw notUnderstood(text);
        }
        try {
            return InetAddress.ofLiteral(brackets ? host.substring(1, host.length() - 1) : host);
        } catch (IllegalArgumentException e) {
            throw notUnderstood(text);
        }
    }

    private static int port(String text, String port) throws ConfigException {
        if (!port.matches("[0-9]{1,5}") || Integer.parseInt(port) > MOST_PORT) {
            throw notUnderstood(text);
        }
        return Integer.parseInt(port);
    }

    private static ConfigException notUnderstood(String text) {
        return new ConfigException("\"" + text + "\" is not an address; it must be unix:PATH, a PORT of this host,"
                + " IPV4:PORT or [IPV6]:PORT, such as 9469 or 192.0.2.7:9469");
    }
}
