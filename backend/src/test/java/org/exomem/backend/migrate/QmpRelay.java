package org.exomem.backend.migrate;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.exomem.backend.qmp.Json;

/**
 * A relay between exomem and a VMM. On request of a test, the VMM seems to refuse commands, to stop answering or to
 * hang up.
 */
final class QmpRelay implements AutoCloseable {
    /** All commands that came, in their order. */
    final List<String> commands = new CopyOnWriteArrayList<>();
    /** Commands that are refused the next time, without the VMM's knowledge. */
    final Set<String> refused = ConcurrentHashMap.newKeySet();
    /** Notified of each command before the VMM receives it. */
    volatile Consumer<String> watcher = command -> {};
    /** Commands that the VMM carries out, and whose connection ends instead of an answer. */
    final Set<String> cut = ConcurrentHashMap.newKeySet();
    /** Commands that the VMM seems not to have. */
    final Set<String> hidden = ConcurrentHashMap.newKeySet();
    /** Events that are not passed on. */
    final Set<String> withheld = ConcurrentHashMap.newKeySet();
    /** Whether the saving of a state seems to continue until it is cancelled. */
    volatile boolean saves;
    /** Whether further connections are refused. */
    volatile boolean once;

    private final Path path;
    private final Path vmm;
    private final ServerSocketChannel server;
    private final Set<SocketChannel> sockets = ConcurrentHashMap.newKeySet();

    QmpRelay(Path path, Path vmm) throws IOException {
        this.path = path;
        this.vmm = vmm;
        this.server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        server.bind(UnixDomainSocketAddress.of(path));
        start(this::accept);
    }

    Path path() {
        return path;
    }

    private interface Work {
        void run() throws IOException;
    }

    private static void start(Work work) {
        Thread.ofPlatform().name("qmp-relay").daemon().start(() -> {
            try {
                work.run();
            } catch (IOException e) {
                // One of the ends has closed its connection.
            }
        });
    }

    private void accept() throws IOException {
        while (true) {
            Conversation next = new Conversation(server.accept(), SocketChannel.open(UnixDomainSocketAddress.of(vmm)));
            start(next::ask);
            start(next::answer);
            if (once) {
                server.close();
            }
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
        for (SocketChannel socket : sockets) {
            socket.close();
        }
    }

    private final class Conversation {
        private final SocketChannel client;
        private final SocketChannel vmm;
        private volatile boolean hangUp;

        Conversation(SocketChannel client, SocketChannel vmm) {
            this.client = client;
            this.vmm = vmm;
            sockets.add(client);
            sockets.add(vmm);
        }

        private static BufferedReader lines(SocketChannel from) {
            return new BufferedReader(Channels.newReader(from, StandardCharsets.UTF_8));
        }

        void ask() throws IOException {
            try (BufferedReader lines = lines(client)) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    JsonNode request = Json.parse(line);
                    String command = request.path("execute").asText();
                    commands.add(command);
                    watcher.accept(command);
                    if (refused.remove(command) || saves && command.equals("cont")) {
                        answer(request, "\"error\": {\"class\": \"GenericError\", \"desc\": \"not today\"}");
                    } else if (saves && command.equals("query-migrate")) {
                        answer(request, "\"return\": {\"status\": \"active\"}");
                    } else {
                        saves &= !command.equals("migrate_cancel");
                        hangUp = cut.contains(command);
                        send(vmm, line);
                    }
                }
            } finally {
                end();
            }
        }

        private void answer(JsonNode request, String what) throws IOException {
            send(client, "{" + what + ", \"id\": " + request.path("id") + "}");
        }

        void answer() throws IOException {
            try (BufferedReader lines = lines(vmm)) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    JsonNode message = Json.parse(line);
                    boolean event = message.has("event");
                    if (hangUp && !event) {
                        return;
                    }
                    if (!event || !withheld.contains(message.path("event").asText())) {
                        send(client, withoutHidden(line));
                    }
                }
            } finally {
                end();
            }
        }

        private String withoutHidden(String line) {
            String rest = line;
            for (String command : hidden) {
                rest = rest.replace("{\"name\":\"" + command + "\"}", "{\"name\":\"\"}");
            }
            return rest;
        }

        private static synchronized void send(SocketChannel to, String line) throws IOException {
            var bytes = StandardCharsets.UTF_8.encode(line + "\r\n");
            while (bytes.hasRemaining()) {
                to.write(bytes);
            }
        }

        private void end() throws IOException {
            client.close();
            vmm.close();
        }
    }
}
