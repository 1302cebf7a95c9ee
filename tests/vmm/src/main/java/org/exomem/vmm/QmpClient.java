package org.exomem.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * A client of QMP, the JSON protocol of QEMU's monitor and exomem's control socket: one JSON object a line. Several
 * threads may execute commands at once.
 */
public final class QmpClient implements AutoCloseable {

    /** The limit for an answer; longer than any answer takes on a busy machine. */
    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(60);

    private static final ObjectMapper JSON = new ObjectMapper();

    private final SocketChannel channel;
    private final CompletableFuture<JsonNode> greeting = new CompletableFuture<>();
    private final Map<Long, CompletableFuture<JsonNode>> answers = new ConcurrentHashMap<>();
    private final Map<String, BlockingQueue<QmpEvent>> events = new ConcurrentHashMap<>();
    private long lastId;
    private boolean closed;

    private QmpClient(SocketChannel channel) {
        this.channel = channel;
    }

    /** Connects to a server that listens on {@code socket}, and negotiates capabilities. */
    public static QmpClient connect(Path socket) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            channel.connect(UnixDomainSocketAddress.of(socket));
        } catch (IOException e) {
            channel.close();
            throw new IOException("can't connect to " + socket + ": " + e.getMessage(), e);
        }
        return over(channel);
    }

    /** Uses an existing connection. The client owns it from now on, even if this fails. */
    static QmpClient over(SocketChannel channel) throws IOException {
        QmpClient client = new QmpClient(channel);
        Thread.ofVirtual().name("qmp").start(client::read);
        try {
            client.await("greeting", client.greeting);
            client.execute("qmp_capabilities");
            return client;
        } catch (IOException e) {
            client.close();
            throw e;
        }
    }

    /** Returns the server's greeting. */
    public JsonNode greeting() {
        return greeting.join();
    }

    public JsonNode execute(String command) throws IOException {
        return execute(command, Map.of());
    }

    /**
     * Executes a command and returns its answer.
     *
     * @throws QmpException if the server answers with an error
     * @throws IOException if the connection ends first or no answer comes within a minute
     */
    public JsonNode execute(String command, Map<String, ?> arguments) throws IOException {
        CompletableFuture<JsonNode> answer = new CompletableFuture<>();
        ObjectNode request = JSON.createObjectNode().put("execute", command);
        if (!arguments.isEmpty()) {
            request.set("arguments", JSON.valueToTree(arguments));
        }
        synchronized (answers) {
            if (closed) {
                throw new IOException(command + ": the connection is closed");
            }
            answers.put(++lastId, answer);
            request.put("id", lastId);
            ByteBuffer bytes =
                    ByteBuffer.wrap((JSON.writeValueAsString(request) + "\n").getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        }
        JsonNode reply = await(command, answer);
        if (reply.has("error")) {
            JsonNode error = reply.path("error");
            throw new QmpException(
                    command, error.path("class").asText(), error.path("desc").asText());
        }
        return reply.path("return");
    }

    /** Takes the oldest event of that name that was not taken yet, waiting for it up to {@code limit}. */
    public QmpEvent awaitEvent(String name, Duration limit) throws IOException {
        try {
            QmpEvent event = eventsOf(name).poll(limit.toNanos(), TimeUnit.NANOSECONDS);
            if (event == null) {
                throw new IOException("no event " + name + " within " + limit.toMillis() + " ms");
            }
            return event;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while waiting for event " + name, e);
        }
    }

    /** Takes the oldest event of that name, or returns null if there is none yet. */
    public @Nullable QmpEvent pollEvent(String name) {
        return eventsOf(name).poll();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }

    private BlockingQueue<QmpEvent> eventsOf(String name) {
        return events.computeIfAbsent(name, key -> new LinkedBlockingQueue<>());
    }

    private void read() {
        IOException end;
        try (BufferedReader lines = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                dispatch(JSON.readTree(line));
            }
            end = new IOException("the server closed the connection");
        } catch (IOException e) {
            end = new IOException("the connection broke: " + e.getMessage(), e);
        }
        synchronized (answers) {
            closed = true;
        }
        greeting.completeExceptionally(end);
        for (CompletableFuture<JsonNode> answer : answers.values()) {
            answer.completeExceptionally(end);
        }
    }

    private void dispatch(JsonNode message) {
        if (message.has("QMP")) {
            greeting.complete(message.path("QMP"));
        } else if (message.has("event")) {
            QmpEvent event = QmpEvent.of(message);
            eventsOf(event.name()).add(event);
        } else {
            CompletableFuture<JsonNode> answer =
                    answers.remove(message.path("id").asLong());
            if (answer != null) {
                answer.complete(message);
            }
        }
    }

    private static JsonNode await(String what, CompletableFuture<JsonNode> answer) throws IOException {
        try {
            return answer.get(ANSWER_LIMIT.toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            throw new IOException(what + ": " + e.getCause(), e);
        } catch (TimeoutException e) {
            throw new IOException(what + ": no answer within " + ANSWER_LIMIT.toSeconds() + " s", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(what + ": interrupted while waiting for the answer", e);
        }
    }
}
