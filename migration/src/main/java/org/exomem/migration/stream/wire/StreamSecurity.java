package org.exomem.migration.stream.wire;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.channels.SocketChannel;

/** Makes a {@link Wire} from a connected socket: decides who may connect, and whether the data is encrypted. */
public interface StreamSecurity {
    /** True if no third party can read or change the data, and both ends know each other's identity. */
    boolean protects();

    /**
     * Makes the source's wire; waits for the handshake.
     *
     * @param socket connected; owned by the wire from now on, closed on failure
     * @throws IOException if the handshake fails
     */
    Wire outgoing(SocketChannel socket, MigrationAddress to) throws IOException;

    /** Makes the destination's wire; as {@link #outgoing}. */
    Wire incoming(SocketChannel socket) throws IOException;

    /** No security, for sockets that only this host can reach. */
    static StreamSecurity none() {
        return Unprotected.INSTANCE;
    }

    /**
     * Refuses to send a guest's memory unencrypted over a network (STR-SEC-1).
     *
     * @param allowed whether the user has allowed it
     * @throws IOException if it is refused
     */
    default void check(SocketAddress address, boolean allowed) throws IOException {
        boolean local = !(address instanceof InetSocketAddress internet)
                || internet.getAddress() != null && internet.getAddress().isLoopbackAddress();
        if (!protects() && !local && !allowed) {
            throw new IOException("without TLS a guest's memory would travel to or from "
                    + MigrationAddress.text(address)
                    + " unencrypted, so others on the network could read and change it. Use certificates"
                    + " (\"exomem pki init\" makes them) or a pre-shared key; if the network itself is"
                    + " trusted, allow plain text (--plain)");
        }
    }
}
