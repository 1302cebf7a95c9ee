package org.exomem.backend;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** The QMP socket of a VMM that does what it is told, and remembers it. */
public final class FakeVmm implements AutoCloseable {
    final List<String> commands = new CopyOnWriteArrayList<>();
    private final ServerSocketChannel listening;

    public FakeVmm(Path socket) throws IOException {
        listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        listening.bind(UnixDomainSocketAddress.of(socket));
        Thread.ofPlatform().daemon().start(this::serve);
    }

    private void serve() {
        try {
            while (true) {
                try (SocketChannel client = listening.accept();
                        BufferedReader lines = new BufferedReader(Channels.newReader(client, StandardCharsets.UTF_8))) {
                    send(client, "{\"QMP\": {\"version\": {}, \"capabilities\": []}}");
                    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                        commands.add(line);
                        send(client, "{\"return\": {}}");
                    }
                }
            }
        } catch (java.nio.channels.AsynchronousCloseException e) {
            // closed by the test
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void send(SocketChannel client, String message) throws IOException {
        client.write(StandardCharsets.UTF_8.encode(message + "\r\n"));
    }

    @Override
    public void close() throws IOException {
        listening.close();
    }
}
