package org.exomem.backend.migrate;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** A network between two hosts that can be cut, and mended. */
final class Relay implements AutoCloseable {
    private final SocketAddress to;
    private volatile ServerSocketChannel server;
    private final int port;
    private final Set<SocketChannel> sockets = ConcurrentHashMap.newKeySet();

    Relay(SocketAddress to) throws IOException {
        this.to = to;
        this.server = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        this.port = ((InetSocketAddress) server.getLocalAddress()).getPort();
        start(this::accept);
    }

    String address() {
        return "127.0.0.1:" + port;
    }

    private static void start(Runnable work) {
        Thread.ofPlatform().name("migration-relay").daemon().start(work);
    }

    private void accept() {
        ServerSocketChannel current = server;
        try {
            while (true) {
                SocketChannel from = current.accept();
                sockets.add(from);
                SocketChannel onwards = SocketChannel.open(to);
                sockets.add(onwards);
                start(() -> carry(from, onwards));
                start(() -> carry(onwards, from));
            }
        } catch (IOException e) {
            sever();
        }
    }

    private static void carry(SocketChannel from, SocketChannel onwards) {
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
            close(from);
            close(onwards);
        }
    }

    /** Ends all connections, and takes new ones. */
    void sever() {
        sockets.forEach(Relay::close);
    }

    /** After a cut: takes connections again, where it did before. */
    void mend() throws IOException {
        server = ServerSocketChannel.open()
                .setOption(StandardSocketOptions.SO_REUSEADDR, true)
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        start(this::accept);
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
