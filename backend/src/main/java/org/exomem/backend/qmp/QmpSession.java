package org.exomem.backend.qmp;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** A VMM's QMP socket, with its name in every error. Belongs to one thread. */
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
            throw new VmmException("can't speak QMP to the VMM on " + socket + ": " + e.getMessage(), e);
        }
    }

    /**
     * Replaces the connection by a new one, after an error that left open what the VMM did.
     *
     * @throws VmmException if the VMM takes none; the session is of no use then
     */
    public void reconnect() throws VmmException {
        // First: a VMM that serves one connection at a time would not answer the other.
        close();
        client = connect(socket).client;
    }

    public JsonNode execute(String command) throws VmmException {
        return execute(command, Json.object());
    }

    /** @throws VmmException if the VMM refuses, has gone, or does not answer in 10 s */
    public JsonNode execute(String command, ObjectNode arguments) throws VmmException {
        return execute(command, arguments, ANSWER_LIMIT);
    }

    /** @throws VmmException if the VMM refuses, has gone, or does not answer in time */
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

    /** Waits for an event; those that come before it are let go. Returns it, or null if it does not come in time. */
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

    /** How often the VMM has told over this connection that its machine was reset, up to its last answer. */
    public long resets() {
        return client.resets();
    }

    /** The VMM's version, such as 11.1.2, if it says that it is QEMU; otherwise empty. */
    public String version() {
        return client.version();
    }

    /** True if the VMM says that it is QEMU. */
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
            // It was open for reading answers that nobody waits for any more.
        }
    }
}
