package org.exomem.backend.migrate;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;

/** A network between two hosts that can be cut, mended, held up, and lose what one of them says. */
final class Relay implements AutoCloseable {
    private final SocketAddress to;
    private volatile ServerSocketChannel server;
    private final int port;
    /** Whether nothing that the destination says gets to the source any more. */
    volatile boolean muted;

    private final Set<SocketChannel> sockets = ConcurrentHashMap.newKeySet();
    /** Those that the source made, in their order: the first is its main one. */
    private final List<SocketChannel> made = new CopyOnWriteArrayList<>();

    private final Set<SocketChannel> held = ConcurrentHashMap.newKeySet();
    private final CountDownLatch released = new CountDownLatch(1);
    private volatile boolean holdsNewOnes;

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
                made.add(from);
                if (holdsNewOnes) {
                    held.add(from);
                }
                SocketChannel onwards = SocketChannel.open(to);
                sockets.add(onwards);
                start(() -> carry(from, onwards, false));
                start(() -> carry(onwards, from, true));
            }
        } catch (IOException e) {
            sever();
        }
    }

    private void carry(SocketChannel from, SocketChannel onwards, boolean answers) {
        ByteBuffer bytes = ByteBuffer.allocate(1 << 16);
        try {
            while (from.read(bytes.clear()) >= 0) {
                if (held.contains(from)) {
                    released.await();
                    return;
                }
                bytes.flip();
                while (bytes.hasRemaining() && !(answers && muted)) {
                    onwards.write(bytes);
                }
            }
            onwards.shutdownOutput();
        } catch (IOException | InterruptedException e) {
            close(from);
            close(onwards);
        }
    }

    /**
     * Nothing arrives any more of what the source sends on its data connections; all else does.
     *
     * @param newOnes nor of what it sends on any that it makes from now on
     */
    void hold(boolean newOnes) {
        holdsNewOnes = newOnes;
        held.addAll(made.subList(1, made.size()));
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
        released.countDown();
        cut();
    }
}
