package org.exomem.embedded;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MappingIterator;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Queue;

/** A QMP client. Waits without a limit, because the test has one. */
final class QmpClient implements AutoCloseable {
    private static final JsonMapper JSON = new JsonMapper();

    private final SocketChannel channel;
    private final MappingIterator<JsonNode> messages;
    private final Queue<JsonNode> events = new ArrayDeque<>();

    QmpClient(Path path) throws IOException {
        channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        channel.connect(UnixDomainSocketAddress.of(path));
        messages = JSON.readerFor(JsonNode.class).readValues(Channels.newInputStream(channel));
        if (!messages.nextValue().has("QMP")) {
            throw new IOException("no greeting");
        }
        execute("qmp_capabilities");
    }

    /** The result of the command. */
    JsonNode execute(String command) throws IOException {
        return execute(command, JSON.createObjectNode());
    }

    JsonNode execute(String command, String arguments) throws IOException {
        return execute(command, (ObjectNode) JSON.readTree(arguments.replace('\'', '"')));
    }

    private JsonNode execute(String command, ObjectNode arguments) throws IOException {
        JsonNode answer = ask(command, arguments);
        if (!answer.has("return")) {
            throw new IOException(command + ": " + answer);
        }
        return answer.get("return");
    }

    /** The description of the error with which a command is refused. */
    String refusal(String command, String arguments) throws IOException {
        JsonNode answer = ask(command, (ObjectNode) JSON.readTree(arguments.replace('\'', '"')));
        if (!answer.has("error")) {
            throw new IOException(command + " was not refused: " + answer);
        }
        return answer.get("error").get("desc").asText();
    }

    private JsonNode ask(String command, ObjectNode arguments) throws IOException {
        ObjectNode request = JSON.createObjectNode().put("execute", command);
        request.set("arguments", arguments);
        ByteBuffer bytes = ByteBuffer.wrap(JSON.writeValueAsBytes(request));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
        while (true) {
            JsonNode message = messages.nextValue();
            if (!message.has("event")) {
                return message;
            }
            events.add(message);
        }
    }

    /** Waits for an event with this name. Discards earlier ones. */
    JsonNode await(String event) throws IOException {
        while (true) {
            JsonNode next = events.isEmpty() ? messages.nextValue() : events.remove();
            if (next.path("event").asText().equals(event)) {
                return next;
            }
        }
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
