package org.exomem.migration.stream.wire;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;

/** The address of a destination: {@code HOST:PORT}, {@code [IPV6]:PORT}, or {@code unix:PATH}. */
public sealed interface MigrationAddress {
    /** A path in the file system of this host. */
    record Local(String path) implements MigrationAddress {
        @Override
        public SocketAddress resolve() {
            return UnixDomainSocketAddress.of(path);
        }

        @Override
        public String toString() {
            return "unix:" + path;
        }
    }

    /** A TCP port of a host. */
    record Network(String host, int port) implements MigrationAddress {
        @Override
        public SocketAddress resolve() throws UnknownHostException {
            InetSocketAddress address = new InetSocketAddress(host, port);
            if (address.isUnresolved()) {
                throw new UnknownHostException("can't resolve the host name \"" + host + "\"");
            }
            return address;
        }

        @Override
        public String toString() {
            return (host.contains(":") ? "[" + host + "]" : host) + ":" + port;
        }
    }

    /** The text of a socket's address, for people: {@code HOST:PORT}, {@code [IPV6]:PORT} or {@code unix:PATH}. */
    static String text(SocketAddress address) {
        if (address instanceof InetSocketAddress internet && internet.getAddress() != null) {
            return new Network(shortened(internet.getAddress().getHostAddress()), internet.getPort()).toString();
        }
        String path = String.valueOf(address);
        return path.isEmpty() ? "a process of this host" : path;
    }

    /** Shortens a run of zeros in an IPv6 address. */
    private static String shortened(String address) {
        return address.contains(":") ? address.replaceFirst("(^|:)(0(:|$)){2,}", "::") : address;
    }

    /**
     * Returns the address for the JDK. Resolves a host name, which may take long.
     *
     * @throws IOException if the host is unknown
     */
    SocketAddress resolve() throws IOException;

    /** @throws IllegalArgumentException with the possible forms of an address */
    static MigrationAddress parse(String text) {
        if (text.startsWith("unix:") && text.length() > "unix:".length()) {
            return new Local(text.substring("unix:".length()));
        }
        int colon = text.lastIndexOf(':');
        String host = colon < 0 ? "" : text.substring(0, colon);
        if (host.startsWith("[") && host.endsWith("]")) {
            host = host.substring(1, host.length() - 1);
        } else if (host.contains(":")) {
            host = "";
        }
        int port = port(text.substring(colon + 1));
        if (host.isEmpty() || port < 0) {
            throw new IllegalArgumentException(
                    "\"" + text + "\" is not a valid address; it must be HOST:PORT, [IPV6]:PORT or unix:PATH");
        }
        return new Network(host, port);
    }

    private static int port(String text) {
        if (!text.matches("[0-9]{1,5}")) {
            return -1;
        }
        int port = Integer.parseInt(text);
        return port <= 0xffff ? port : -1;
    }
}
