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

/** A network between two hosts. A test can cut, mend and delay it, and lose the data of one end. */
final class Relay implements AutoCloseable {
    private final SocketAddress to;
    private volatile ServerSocketChannel server;
    private final int port;
    /** Whether the destination's data does not reach the source any more. */
    volatile boolean muted;

    private final Set<SocketChannel> sockets = ConcurrentHashMap.newKeySet();
    /** The source's connections in the order of their creation: the first is its main connection. */
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
     * Holds back what the source sends on its data connections. All other data passes.
     *
     * @param newOnes whether to hold back the data of later connections, too
     */
    void hold(boolean newOnes) {
        holdsNewOnes = newOnes;
        held.addAll(made.subList(1, made.size()));
    }

    /** Ends all connections, and accepts new ones. */
    void sever() {
        sockets.forEach(Relay::close);
    }

    /** Accepts connections again after a cut, at the same address. */
    void mend() throws IOException {
        server = ServerSocketChannel.open()
                .setOption(StandardSocketOptions.SO_REUSEADDR, true)
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        start(this::accept);
    }

    /** Ends all connections, and accepts no more. */
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
