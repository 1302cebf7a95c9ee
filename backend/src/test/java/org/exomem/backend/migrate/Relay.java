package org.exomem.backend.migrate;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** A network between two hosts that can be cut. */
final class Relay implements AutoCloseable {
    private final SocketAddress to;
    private final ServerSocketChannel server;
    private final Set<SocketChannel> sockets = ConcurrentHashMap.newKeySet();

    Relay(SocketAddress to) throws IOException {
        this.to = to;
        this.server = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        start(this::accept);
    }

    String address() throws IOException {
        return "127.0.0.1:" + ((InetSocketAddress) server.getLocalAddress()).getPort();
    }

    private static void start(Runnable work) {
        Thread.ofPlatform().name("migration-relay").daemon().start(work);
    }

    private void accept() {
        try {
            while (true) {
                SocketChannel from = server.accept();
                SocketChannel onwards = SocketChannel.open(to);
                sockets.add(from);
                sockets.add(onwards);
                start(() -> carry(from, onwards));
                start(() -> carry(onwards, from));
            }
        } catch (IOException e) {
            cut();
        }
    }

    private void carry(SocketChannel from, SocketChannel onwards) {
        ByteBuffer bytes = ByteBuffer.allocate(1 << 16);
        try {
            while (from.read(bytes.clear()) >= 0) {
                bytes.flip();
                while (bytes.hasRemaining()) {
                    onwards.write(bytes);
                }
            }
            onwards.shutdownOutput();
        } catch (IOException e) {
            cut();
        }
    }

    /** Ends all connections, and takes no more. */
    void cut() {
        close(server);
        sockets.forEach(Relay::close);
    }

    private static void close(AutoCloseable what) {
        try {
            what.close();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void close() {
        cut();
    }
}
