package org.exomem.migration.stream.wire;

import java.io.IOException;
import java.nio.channels.SocketChannel;

/** No security. */
final class Unprotected implements StreamSecurity {
    static final StreamSecurity INSTANCE = new Unprotected();

    private Unprotected() {}

    @Override
    public boolean protects() {
        return false;
    }

    @Override
    public Wire outgoing(SocketChannel socket, MigrationAddress to) {
        return new PlainWire(socket, to.toString());
    }

    @Override
    public Wire incoming(SocketChannel socket) throws IOException {
        return new PlainWire(socket, MigrationAddress.text(socket.getRemoteAddress()));
    }
}
