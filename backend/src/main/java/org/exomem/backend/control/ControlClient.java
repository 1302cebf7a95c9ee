package org.exomem.backend.control;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Queue;
import org.jspecify.annotations.Nullable;

/** Speaks to a control socket: one command after the other. Not thread-safe. */
public final class ControlClient implements AutoCloseable {
    private static final int MAX_ANSWER = 64 << 20;
    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(10);

    private final SocketChannel channel;
    private final Selector selector;
    private final ByteBuffer received = ByteBuffer.allocate(16 << 10);
    private final JsonFrames frames = new JsonFrames(MAX_ANSWER);
    private final Queue<JsonFrames.Frame> arrived = new ArrayDeque<>();
    private final Queue<JsonNode> events = new ArrayDeque<>();

    private ControlClient(SocketChannel channel, Selector selector) {
        this.channel = channel;
        this.selector = selector;
    }

    /**
     * Connects and negotiates.
     *
     * @throws IOException if nobody listens there, takes connections, or speaks QMP
     */
    public static ControlClient connect(Path path) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        Selector selector = null;
        try {
            // Non-blocking before it connects: where too many others wait to be accepted it fails, and waits for nobody.
            channel.configureBlocking(false);
            channel.connect(UnixDomainSocketAddress.of(path));
            selector = Selector.open();
            channel.register(selector, SelectionKey.OP_READ);
            ControlClient client = new ControlClient(channel, selector);
            if (!client.message(ANSWER_LIMIT).has("QMP")) {
                throw new IOException("it does not greet as QMP does");
            }
            client.execute("qmp_capabilities", Json.object());
            return client;
        } catch (IOException | RuntimeException e) {
            channel.close();
            if (selector != null) {
                selector.close();
            }
            throw e;
        }
    }

    /**
     * Runs a command and waits for its answer.
     *
     * @throws QmpException if the command was refused
     * @throws IOException if the connection ended, or no answer came in 10 s
     */
    public JsonNode execute(String command, ObjectNode arguments) throws IOException {
        ObjectNode request = Json.object().put("execute", command);
        if (!arguments.isEmpty()) {
            request.set("arguments", arguments);
        }
        ByteBuffer line = ByteBuffer.wrap(Json.line(request));
        while (line.hasRemaining()) {
            channel.write(line);
        }
        while (true) {
            JsonNode message = message(ANSWER_LIMIT);
            if (message.has("return")) {
                return message.get("return");
            }
            if (message.has("error")) {
                JsonNode error = message.get("error");
                throw new QmpException(
                        error.path("class").asText(), error.path("desc").asText());
            }
            events.add(message);
        }
    }

    /** The next event, or null if none comes in that time. */
    public @Nullable JsonNode event(Duration limit) throws IOException {
        JsonNode event = events.poll();
        return event != null ? event : messageOrNull(limit);
    }

    private JsonNode message(Duration limit) throws IOException {
        JsonNode message = messageOrNull(limit);
        if (message == null) {
            throw new IOException("no answer in " + limit.toSeconds() + " s");
        }
        return message;
    }

    private @Nullable JsonNode messageOrNull(Duration limit) throws IOException {
        long end = System.nanoTime() + limit.toNanos();
        while (arrived.isEmpty()) {
            long millis = (end - System.nanoTime()) / 1_000_000;
            if (millis <= 0 || selector.select(millis) == 0 && System.nanoTime() >= end) {
                return null;
            }
            selector.selectedKeys().clear();
            if (channel.read(received) < 0) {
                throw new IOException("the connection was closed");
            }
            frames.feed(received.flip(), arrived::add);
            received.clear();
        }
        if (arrived.remove() instanceof JsonFrames.Frame.Value value) {
            try {
                return Json.parse(value.json());
            } catch (JsonProcessingException e) {
                throw new IOException("what came is not JSON: " + e.getOriginalMessage(), e);
            }
        }
        throw new IOException("what came is not QMP");
    }

    @Override
    public void close() throws IOException {
        selector.close();
        channel.close();
    }
}
