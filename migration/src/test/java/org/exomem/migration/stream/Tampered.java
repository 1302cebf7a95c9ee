package org.exomem.migration.stream;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import org.exomem.migration.stream.wire.MigrationAddress;

/** A man in the middle between source and destination, who cuts, changes and records what the source sends. */
final class Tampered implements AutoCloseable {
    /** The change to the bytes that the source sent. */
    interface Tampering {
        /**
         * @param connection index of the source's connection, from 0
         * @param offset of the first byte on it
         * @return false to cut the connection here
         */
        boolean tamper(int connection, long offset, ByteBuffer bytes);
    }

    private final ServerSocketChannel server = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0));
    private final SocketAddress destination;
    private final Tampering tampering;
    private final List<SocketChannel> sockets = new CopyOnWriteArrayList<>();
    private final Set<Thread> threads = ConcurrentHashMap.newKeySet();
    private int connections;

    Tampered(MigrationAddress destination, Tampering tampering) throws IOException {
        this.destination = destination.resolve();
        this.tampering = tampering;
        start(this::accept);
    }

    MigrationAddress address() throws IOException {
        return new MigrationAddress.Network("127.0.0.1", ((InetSocketAddress) server.getLocalAddress()).getPort());
    }

    private interface Work {
        void run() throws IOException;
    }

    private void start(Work work) {
        threads.add(Thread.ofPlatform().daemon().start(() -> {
            try {
                work.run();
            } catch (IOException e) {
                // One end closed its connection, or this was closed.
                return;
            }
        }));
    }

    private void accept() throws IOException {
        while (true) {
            SocketChannel source = server.accept();
            sockets.add(source);
            SocketChannel further = SocketChannel.open(destination);
            sockets.add(further);
            int connection = connections++;
            start(() -> pump(source, further, connection));
            start(() -> pump(further, source, -1));
        }
    }

    private void pump(SocketChannel from, SocketChannel to, int connection) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(1 << 16);
        long offset = 0;
        try {
            while (from.read(bytes.clear()) >= 0) {
                bytes.flip();
                int length = bytes.limit();
                boolean goOn = connection < 0 || tampering.tamper(connection, offset, bytes);
                offset += length;
                while (bytes.hasRemaining()) {
                    to.write(bytes);
                }
                if (!goOn) {
                    from.close();
                    to.close();
                    return;
                }
            }
            to.shutdownOutput();
        } catch (IOException e) {
            from.close();
            to.close();
            throw e;
        }
    }

    /** Cuts all present connections. */
    void cut() throws IOException {
        for (SocketChannel socket : sockets) {
            socket.close();
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        cut();
        for (Thread thread : threads) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
