package org.exomem.backend.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** A connection to a VMM's QMP socket, with the socket's name in every error. For one thread. */
public final class QmpSession implements AutoCloseable {
    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(10);

    private final Path socket;
    private QmpClient client;

    private QmpSession(Path socket, QmpClient client) {
        this.socket = socket;
        this.client = client;
    }

    public static QmpSession connect(Path socket) throws VmmException {
        try {
            return new QmpSession(socket, QmpClient.connectToVmm(socket));
        } catch (IOException | QmpException e) {
            throw new VmmException("can't use QMP with the VMM on " + socket + ": " + e.getMessage(), e);
        }
    }

    /**
     * Replaces the connection by a new one, after an error that left it unknown what the VMM did.
     *
     * @throws VmmException if the VMM accepts none; the session can't be used then
     */
    public void reconnect() throws VmmException {
        // Closed first, as a VMM that serves one connection at a time would not answer the other.
        close();
        client = connect(socket).client;
    }

    public JsonNode execute(String command) throws VmmException {
        return execute(command, Json.object());
    }

    /** @throws VmmException if the VMM refuses, has ended, or does not answer within 10 s */
    public JsonNode execute(String command, ObjectNode arguments) throws VmmException {
        return execute(command, arguments, ANSWER_LIMIT);
    }

    /** @throws VmmException if the VMM refuses, has ended, or does not answer in time */
    public JsonNode execute(String command, ObjectNode arguments, Duration limit) throws VmmException {
        try {
            return client.execute(command, arguments, limit);
        } catch (IOException | QmpException e) {
            throw new VmmException("the VMM on " + socket + ": " + command + ": " + e.getMessage(), e);
        }
    }

    public JsonNode property(String path, String name) throws VmmException {
        return execute("qom-get", Json.object().put("path", path).put("property", name));
    }

    /**
     * Waits for an event, and drops others. Returns it, or null if it does not arrive in time.
     *
     * @throws VmmException if the connection ended
     */
    @Nullable
    public JsonNode await(Predicate<JsonNode> wanted, Duration limit) throws VmmException {
        long end = System.nanoTime() + limit.toNanos();
        try {
            while (true) {
                long left = end - System.nanoTime();
                JsonNode event = left <= 0 ? null : client.event(Duration.ofNanos(left));
                if (event == null || wanted.test(event)) {
                    return event;
                }
            }
        } catch (IOException e) {
            throw new VmmException("the VMM on " + socket + ": " + e.getMessage(), e);
        }
    }

    /** How often the VMM has reported a reset of its machine over this connection, up to its last answer. */
    public long resets() {
        return client.resets();
    }

    /** The VMM's version, such as 11.1.2, if it identifies itself as QEMU; otherwise empty. */
    public String version() {
        return client.version();
    }

    /** True if the VMM identifies itself as QEMU. */
    public boolean isQemu() {
        return client.isQemu();
    }

    public Path socket() {
        return socket;
    }

    @Override
    public String toString() {
        return socket.toString();
    }

    @Override
    public void close() {
        try {
            client.close();
        } catch (IOException e) {
            // It was open only for answers that are not needed any more.
        }
    }
}
