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

/** Speaks to a control socket: one command after the other. Not thread-safe. */
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
    /** Characters of the message that was read last. */
    private int lastSize;

    private long commands;
    private long resets;

    /** Who is at the other end, and how much is taken of it. */
    private enum Server {
        /** exomem itself, of which clients want all there is. */
        OWN(64 << 20, Integer.MAX_VALUE, Long.MAX_VALUE),
        /**
         * A VMM, which a guest may have taken over (VMM-23). QEMU's longest answer, to {@code query-qmp-schema}, which
         * nobody asks for, has some 300 kB.
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
     * @throws IOException if nobody listens there, takes connections, or speaks QMP
     */
    public static QmpClient connect(Path path) throws IOException {
        return connect(path, Server.OWN, false);
    }

    /**
     * Connects to a VMM and negotiates. A message of more than 1 MiB or of more than 100,000 names and values ends the connection; of
     * events that nobody asks for the latest 256 are kept, of 256 KiB together (VMM-23).
     *
     * @throws IOException if nobody listens there, takes connections, or speaks QMP
     */
    public static QmpClient connectToVmm(Path path) throws IOException {
        return connect(path, Server.VMM, false);
    }

    /**
     * Connects and negotiates, but only with a process of this user or of root where others could have made the socket (CTL-21).
     *
     * @throws UntrustedServerException if it is another user's
     * @throws IOException if nobody listens there, takes connections, or speaks QMP
     */
    public static QmpClient connectToOwn(Path path) throws IOException {
        return connect(path, Server.OWN, true);
    }

    private static QmpClient connect(Path path, Server server, boolean own) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        Selector selector = null;
        try {
            // Non-blocking before it connects: where too many others wait to be accepted it fails, and waits for
            // nobody.
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
     * @throws NoQmpException if it is no server of QMP
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
            throw new NoQmpException("it does not greet as QMP does", null);
        }
        execute("qmp_capabilities", Json.object());
    }

    /** How the server calls itself in its greeting; empty if it does not. */
    public String program() {
        return greeting.path("QMP").path("version").path("package").asText();
    }

    /** The version with which the server greeted as QEMU does, such as 11.1.2; empty if it did not. */
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
     * Runs a command and waits for its answer.
     *
     * @throws QmpException if the command was refused
     * @throws IOException if the connection ended, or no answer came in 10 s
     */
    public JsonNode execute(String command, ObjectNode arguments) throws IOException {
        return execute(command, arguments, ANSWER_LIMIT);
    }

    /**
     * Runs a command and waits for its answer for as long as that. A command that was given up may still be done; its answer,
     * if it comes late, is not taken for that of another.
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
            // One limit for all that comes: a stream of events must not put off the end of the waiting.
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
                throw new SocketTimeoutException("it takes no command in " + limit.toSeconds() + " s");
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
            throw new IOException("what came is not an answer: " + answer);
        }
        return result;
    }

    /** The next event, or null if none comes in that time. */
    public @Nullable JsonNode event(Duration limit) throws IOException {
        JsonNode event = events.poll();
        long end = System.nanoTime() + limit.toNanos();
        while (event == null) {
            JsonNode message = messageOrNull(end);
            if (message == null) {
                return null;
            }
            // An answer that comes now is to a command that was given up.
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

    /** How often the VMM has told that its machine was reset, as far as messages were read: up to the last answer. */
    long resets() {
        return resets;
    }

    private JsonNode message(long end, Duration limit) throws IOException {
        JsonNode message = messageOrNull(end);
        if (message == null) {
            throw new SocketTimeoutException("no answer in " + limit.toSeconds() + " s");
        }
        return message;
    }

    /** @param end of the waiting, by {@link System#nanoTime} */
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
            throw new IOException("what came has more than " + limit + " bytes");
        }
        if (frame instanceof JsonFrames.Frame.Value value) {
            lastSize = value.json().length();
            try {
                return server == Server.VMM ? Json.parseBounded(value.json()) : Json.parse(value.json());
            } catch (JsonException e) {
                throw new IOException("what came is not JSON: " + e.getMessage(), e);
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
