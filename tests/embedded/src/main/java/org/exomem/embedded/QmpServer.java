package org.exomem.embedded;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** A QMP server like QEMU's, with a thread for each connection. */
final class QmpServer implements AutoCloseable {
    /** Runs a command, on the thread of its connection. */
    interface Commands {
        JsonNode run(String name, JsonNode arguments) throws QmpError;

        /** Called after the answer to {@code quit} was sent. */
        void quit();
    }

    private static final JsonMapper JSON = new JsonMapper();

    private final Path path;
    private final ServerSocketChannel server;
    private final Commands commands;
    private final Set<Client> clients = ConcurrentHashMap.newKeySet();

    private QmpServer(Path path, ServerSocketChannel server, Commands commands) {
        this.path = path;
        this.server = server;
        this.commands = commands;
    }

    static ObjectNode object() {
        return JsonNodeFactory.instance.objectNode();
    }

    /** Listens on a path; replaces an existing file. */
    static QmpServer listen(Path path, Commands commands) throws IOException {
        Files.deleteIfExists(path);
        ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            server.bind(UnixDomainSocketAddress.of(path));
            QmpServer made = new QmpServer(path, server, commands);
            thread("qmp", made::accept);
            return made;
        } catch (IOException e) {
            server.close();
            throw e;
        }
    }

    private static void thread(String name, Runnable task) {
        Thread.ofPlatform().daemon().name(name).start(task);
    }

    private void accept() {
        try {
            while (true) {
                Client client = new Client(server.accept());
                clients.add(client);
                thread("qmp-client", client::serve);
            }
        } catch (IOException e) {
            // The server was closed.
        }
    }

    /** Sends an event to all clients that have negotiated. */
    void event(String name, ObjectNode data) {
        Instant now = Instant.now();
        ObjectNode event = object().put("event", name);
        event.putObject("timestamp").put("seconds", now.getEpochSecond()).put("microseconds", now.getNano() / 1000);
        if (!data.isEmpty()) {
            event.set("data", data);
        }
        for (Client client : clients) {
            if (client.negotiated) {
                client.send(event);
            }
        }
    }

    @Override
    public void close() {
        try {
            server.close();
            Files.deleteIfExists(path);
        } catch (IOException e) {
            // What could not be closed or deleted is already gone.
        }
        clients.forEach(Client::close);
    }

    private final class Client {
        private final SocketChannel channel;
        private volatile boolean negotiated;

        Client(SocketChannel channel) {
            this.channel = channel;
        }

        void serve() {
            ObjectNode greeting = object();
            ObjectNode qmp = greeting.putObject("QMP");
            qmp.putObject("version")
                    .put("package", "exomem-embedded")
                    .putObject("qemu")
                    .put("major", 11)
                    .put("minor", 0)
                    .put("micro", 0);
            qmp.putArray("capabilities");
            send(greeting);
            try (MappingIterator<JsonNode> requests =
                    JSON.readerFor(JsonNode.class).readValues(Channels.newInputStream(channel))) {
                while (requests.hasNextValue()) {
                    JsonNode request = requests.nextValue();
                    send(answer(request));
                    if (negotiated && request.path("execute").asText().equals("quit")) {
                        commands.quit();
                    }
                }
            } catch (JsonProcessingException e) {
                send(error(QmpError.general("JSON parse error: " + e.getOriginalMessage())));
            } catch (IOException e) {
                // The other side, or close(), ended the connection.
            } finally {
                clients.remove(this);
                close();
            }
        }

        private ObjectNode answer(JsonNode request) {
            ObjectNode answer;
            try {
                answer = object().set("return", run(request));
            } catch (QmpError e) {
                answer = error(e);
            } catch (IllegalArgumentException | IllegalStateException e) {
                answer = error(QmpError.general(String.valueOf(e.getMessage())));
            }
            if (request.has("id")) {
                answer.set("id", request.get("id"));
            }
            return answer;
        }

        private JsonNode run(JsonNode request) throws QmpError {
            String name = request.path("execute").asText();
            if (name.isEmpty()) {
                throw QmpError.general("QMP input lacks member 'execute'");
            }
            if (name.equals("qmp_capabilities")) {
                negotiated = true;
                return object();
            }
            if (!negotiated) {
                throw new QmpError("CommandNotFound", "Expecting capabilities negotiation with 'qmp_capabilities'");
            }
            return commands.run(name, request.path("arguments"));
        }

        private ObjectNode error(QmpError error) {
            ObjectNode answer = object();
            answer.putObject("error").put("class", error.kind()).put("desc", error.getMessage());
            return answer;
        }

        /** Sends one line at a time, from any thread. */
        synchronized void send(ObjectNode message) {
            try {
                byte[] json = JSON.writeValueAsBytes(message);
                ByteBuffer line = ByteBuffer.allocate(json.length + 2);
                line.put(json).put((byte) '\r').put((byte) '\n').flip();
                while (line.hasRemaining()) {
                    channel.write(line);
                }
            } catch (IOException e) {
                close();
            }
        }

        void close() {
            try {
                channel.close();
            } catch (IOException e) {
                // The connection is closed.
            }
        }
    }
}
