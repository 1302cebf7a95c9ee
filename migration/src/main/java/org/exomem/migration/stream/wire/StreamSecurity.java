package org.exomem.migration.stream.wire;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.channels.SocketChannel;

/** Makes a {@link Wire} of a connected socket: decides who may connect, and whether others can read what travels. */
public interface StreamSecurity {
    /** True if nobody else can read or change what travels, and both ends know who the other is. */
    boolean protects();

    /**
     * At the source; waits for the handshake.
     *
     * @param socket connected; the wire's from now on, closed on failure
     */
    Wire outgoing(SocketChannel socket, MigrationAddress to) throws IOException;

    /** At the destination; as {@link #outgoing}. */
    Wire incoming(SocketChannel socket) throws IOException;

    /** None at all: for sockets that only this host can reach. */
    static StreamSecurity none() {
        return Unprotected.INSTANCE;
    }

    /**
     * Refuses to send a guest's memory in the clear to where others may listen. See STR-SEC-1.
     *
     * @param allowed true if the user said that it may be
     */
    default void check(SocketAddress address, boolean allowed) throws IOException {
        boolean local = !(address instanceof InetSocketAddress internet)
                || internet.getAddress() != null && internet.getAddress().isLoopbackAddress();
        if (!protects() && !local && !allowed) {
            throw new IOException("without TLS a guest's memory would travel to or from "
                    + MigrationAddress.text(address)
                    + " for everybody in between to read and to change. Use certificates (\"exomem pki init\" makes"
                    + " them) or a pre-shared key; or, where the network itself is trusted, allow plain text"
                    + " (--plain)");
        }
    }
}
