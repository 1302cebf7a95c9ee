package org.exomem.migration.stream.wire;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;

/** A socket without encryption. */
public final class PlainWire implements Wire {
    private final SocketChannel socket;
    private final String peer;

    /** Owns a connected socket in blocking mode from now on. */
    public PlainWire(SocketChannel socket, String peer) {
        this.socket = socket;
        this.peer = peer;
    }

    @Override
    public void write(ByteBuffer[] sources) throws IOException {
        for (ByteBuffer source : sources) {
            while (source.hasRemaining()) {
                socket.write(sources);
            }
        }
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
        return socket.read(into);
    }

    @Override
    public void finishWriting() throws IOException {
        socket.shutdownOutput();
    }

    @Override
    public String peer() {
        return peer;
    }

    @Override
    public void close() {
        Closing.quietly(socket);
    }
}
