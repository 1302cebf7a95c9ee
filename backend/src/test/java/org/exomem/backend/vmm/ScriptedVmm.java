package org.exomem.backend.vmm;

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
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.exomem.backend.qmp.Json;

/** A QEMU's QMP socket that answers commands as a test wants. For one client at a time. */
public final class ScriptedVmm implements AutoCloseable {
    /** Answers as JSON, by command, path and property: {@code qom-get /machine/peripheral/a hotpluggable}. */
    private final Map<String, String> answers = new ConcurrentHashMap<>();

    /** Sent before the next answer. */
    private final Queue<String> events = new ConcurrentLinkedQueue<>();

    /** The effects of commands, which precede the answers. */
    private final Map<String, Runnable> effects = new ConcurrentHashMap<>();

    private final Queue<String> asked = new ConcurrentLinkedQueue<>();

    private final ServerSocketChannel listening;

    public ScriptedVmm(Path socket) throws IOException {
        listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket));
        Thread.ofPlatform().daemon().start(this::serve);
    }

    public ScriptedVmm answer(String command, String json) {
        answers.put(command, json.replace('\'', '"'));
        return this;
    }

    public ScriptedVmm on(String command, Runnable effect) {
        effects.put(command, effect);
        return this;
    }

    /** Those of these commands that came, in their order. */
    public List<String> asked(String... commands) {
        return asked.stream().filter(List.of(commands)::contains).toList();
    }

    public ScriptedVmm event(String name) {
        events.add("{\"event\": \"" + name + "\"}");
        return this;
    }

    private void serve() {
        while (listening.isOpen()) {
            try (SocketChannel client = listening.accept();
                    BufferedReader lines = new BufferedReader(Channels.newReader(client, StandardCharsets.UTF_8))) {
                send(client, "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 11}}, \"capabilities\": []}}");
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    for (String event = events.poll(); event != null; event = events.poll()) {
                        send(client, event);
                    }
                    send(client, reply(Json.parse(line)));
                }
            } catch (IOException e) {
                // The client has gone, or the test is over.
            }
        }
    }

    private String reply(JsonNode request) {
        JsonNode arguments = request.path("arguments");
        String command = (request.path("execute").asText() + " "
                        + arguments.path("path").asText() + " "
                        + arguments.path("property").asText())
                .strip();
        asked.add(command);
        effects.getOrDefault(command, () -> {}).run();
        String answer = command.equals("qmp_capabilities") ? "{}" : answers.get(command);
        String id = request.has("id") ? ", \"id\": " + request.path("id") : "";
        return answer == null
                ? "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no " + command + "\"}" + id + "}"
                : "{\"return\": " + answer + id + "}";
    }

    private static void send(SocketChannel client, String message) throws IOException {
        client.write(StandardCharsets.UTF_8.encode(message + "\r\n"));
    }

    @Override
    public void close() throws IOException {
        listening.close();
    }
}
