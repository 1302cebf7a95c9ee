package org.exomem.backend.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.SocketTimeoutException;
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

/** A client of a QMP socket, which executes one command after the other. For one thread. */
public final class QmpClient implements AutoCloseable {
    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(10);

    private final SocketChannel channel;
    private final Selector selector;
    private final ByteBuffer received = ByteBuffer.allocate(16 << 10);
    private final Server server;
    private final JsonFrames frames;
    private final Queue<JsonFrames.Frame> arrived = new ArrayDeque<>();
    private final EventBacklog events;
    private JsonNode greeting = Json.object();
    /** The size of the last message, in characters. */
    private int lastSize;

    private long commands;
    private long resets;

    /** The server, and the limits for its messages. */
    private enum Server {
        /** exomem itself, without tight limits. */
        OWN(64 << 20, Integer.MAX_VALUE, Long.MAX_VALUE),
        /**
         * A VMM, which a guest may have taken over (VMM-23). QEMU's longest answer, to {@code query-qmp-schema}, has about
         * 300 kB and is never requested.
         */
        VMM(1 << 20, 256, 256 << 10);

        final int messageBytes;
        final int events;
        final long eventBytes;

        Server(int messageBytes, int events, long eventBytes) {
            this.messageBytes = messageBytes;
            this.events = events;
            this.eventBytes = eventBytes;
        }
    }

    private QmpClient(SocketChannel channel, Selector selector, Server server) {
        this.channel = channel;
        this.selector = selector;
        this.server = server;
        this.frames = new JsonFrames(server.messageBytes);
        this.events = new EventBacklog(server.events, server.eventBytes);
    }

    /**
     * Connects and negotiates.
     *
     * @throws IOException if no process listens there, or it accepts no connection, or does not speak QMP
     */
    public static QmpClient connect(Path path) throws IOException {
        return connect(path, Server.OWN, false);
    }

    /**
     * Connects to a VMM and negotiates. A message of more than 1 MiB, or with more than 100,000 names and values, ends the
     * connection. Of events that are not asked for, the latest 256 are kept, with 256 KiB together (VMM-23).
     *
     * @throws IOException if no process listens there, or it accepts no connection, or does not speak QMP
     */
    public static QmpClient connectToVmm(Path path) throws IOException {
        return connect(path, Server.VMM, false);
    }

    /**
     * Connects and negotiates. If other users could have made the socket, the server must be a process of this user or of
     * root (CTL-21).
     *
     * @throws UntrustedServerException if it is another user's
     * @throws IOException if no process listens there, or it accepts no connection, or does not speak QMP
     */
    public static QmpClient connectToOwn(Path path) throws IOException {
        return connect(path, Server.OWN, true);
    }

    private static QmpClient connect(Path path, Server server, boolean own) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        Selector selector = null;
        try {
            // Non-blocking before it connects: it fails if too many others wait to be accepted, and does not wait.
            channel.configureBlocking(false);
            channel.connect(UnixDomainSocketAddress.of(path));
            if (own) {
                ServerOwner.check(path, channel);
            }
            selector = Selector.open();
            channel.register(selector, SelectionKey.OP_READ);
            QmpClient client = new QmpClient(channel, selector, server);
            client.negotiate();
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
     * Waits for the greeting, and answers it.
     *
     * @throws QmpException if the server refuses clients
     * @throws NoQmpException if it is no QMP server
     */
    private void negotiate() throws IOException {
        try {
            greeting = message(System.nanoTime() + ANSWER_LIMIT.toNanos(), ANSWER_LIMIT);
        } catch (SocketTimeoutException e) {
            throw e;
        } catch (IOException e) {
            throw new NoQmpException(String.valueOf(e.getMessage()), e);
        }
        if (greeting.has("error")) {
            JsonNode error = greeting.path("error");
            throw new QmpException(
                    error.path("class").asText(), error.path("desc").asText());
        }
        if (!greeting.has("QMP")) {
            throw new NoQmpException("it does not send a QMP greeting", null);
        }
        execute("qmp_capabilities", Json.object());
    }

    /** The name of the program in its greeting; empty if there is none. */
    public String program() {
        return greeting.path("QMP").path("version").path("package").asText();
    }

    /** The version in a greeting of QEMU, such as 11.1.2; empty for another greeting. */
    String version() {
        JsonNode version = greeting.path("QMP").path("version").path("qemu");
        return version.isMissingNode()
                ? ""
                : version.path("major").asText() + "." + version.path("minor").asText() + "."
                        + version.path("micro").asText();
    }

    /** True if the server greeted as QEMU does. */
    boolean isQemu() {
        return greeting.path("QMP").path("version").has("qemu");
    }

    /**
     * Executes a command and waits for its answer.
     *
     * @throws QmpException if the command was refused
     * @throws IOException if the connection ended, or no answer came within 10 s
     */
    public JsonNode execute(String command, ObjectNode arguments) throws IOException {
        return execute(command, arguments, ANSWER_LIMIT);
    }

    /**
     * Executes a command and waits for its answer for {@code limit}. A command that was given up may still be executed. If
     * its answer comes late, it is not mistaken for that of another command.
     *
     * @throws QmpException if the command was refused
     * @throws IOException if the connection ended, or no answer came in time
     */
    public JsonNode execute(String command, ObjectNode arguments, Duration limit) throws IOException {
        long end = System.nanoTime() + limit.toNanos();
        long id = ++commands;
        ObjectNode request = Json.object().put("execute", command).put("id", id);
        if (!arguments.isEmpty()) {
            request.set("arguments", arguments);
        }
        ByteBuffer line = ByteBuffer.wrap(Json.line(request));
        send(line, end, limit);
        while (true) {
            // One limit for all messages, as a stream of events must not extend the wait.
            JsonNode message = message(end, limit);
            if (message.has("event")) {
                events.add(counted(message), lastSize);
            } else if (message.path("id").asLong(id) == id) {
                return result(message);
            }
        }
    }

    private void send(ByteBuffer line, long end, Duration limit) throws IOException {
        SelectionKey key = channel.keyFor(selector);
        while (line.hasRemaining()) {
            if (channel.write(line) > 0) {
                continue;
            }
            long millis = (end - System.nanoTime()) / 1_000_000;
            if (millis <= 0) {
                throw new SocketTimeoutException("it accepted no command within " + limit.toSeconds() + " s");
            }
            key.interestOps(SelectionKey.OP_WRITE);
            selector.select(millis);
            selector.selectedKeys().clear();
            key.interestOps(SelectionKey.OP_READ);
        }
    }

    private static JsonNode result(JsonNode answer) throws IOException {
        JsonNode error = answer.get("error");
        if (error != null) {
            throw new QmpException(
                    error.path("class").asText(), error.path("desc").asText());
        }
        JsonNode result = answer.get("return");
        if (result == null) {
            throw new IOException("the received message is not a reply: " + answer);
        }
        return result;
    }

    /** The next event, or null if none arrives within the limit. */
    public @Nullable JsonNode event(Duration limit) throws IOException {
        JsonNode event = events.poll();
        long end = System.nanoTime() + limit.toNanos();
        while (event == null) {
            JsonNode message = messageOrNull(end);
            if (message == null) {
                return null;
            }
            // An answer that arrives now belongs to a command that was given up.
            event = message.has("event") ? counted(message) : null;
        }
        return event;
    }

    private JsonNode counted(JsonNode event) {
        if (event.path("event").asText().equals("RESET")) {
            resets++;
        }
        return event;
    }

    /** How often the VMM has reported a reset of its machine, in the messages that were read: up to the last answer. */
    long resets() {
        return resets;
    }

    private JsonNode message(long end, Duration limit) throws IOException {
        JsonNode message = messageOrNull(end);
        if (message == null) {
            throw new SocketTimeoutException("no reply within " + limit.toSeconds() + " s");
        }
        return message;
    }

    /** @param end when the wait ends, by {@link System#nanoTime} */
    private @Nullable JsonNode messageOrNull(long end) throws IOException {
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
        JsonFrames.Frame frame = arrived.remove();
        if (frame instanceof JsonFrames.Frame.TooLong(int limit)) {
            throw new IOException("a received message has more than " + limit + " bytes");
        }
        if (frame instanceof JsonFrames.Frame.Value value) {
            lastSize = value.json().length();
            try {
                return server == Server.VMM ? Json.parseBounded(value.json()) : Json.parse(value.json());
            } catch (JsonException e) {
                throw new IOException("a received message is not JSON: " + e.getMessage(), e);
            }
        }
        throw new IOException("a received message is not QMP");
    }

    @Override
    public void close() throws IOException {
        selector.close();
        channel.close();
    }
}
