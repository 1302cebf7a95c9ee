package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import org.exomem.backend.control.SocketPath;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.qmp.QmpException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Which serving process a command speaks to. */
final class ControlOption {
    @Option(
            names = "--control",
            paramLabel = "SOCKET",
            description = "The control socket of the process that serves. Default: where \"exomem serve\" puts it.")
    private @Nullable Path path;

    /** What to do with a connection. */
    @FunctionalInterface
    interface Talk {
        int with(Session session) throws IOException;
    }

    /** A connection whose refusals are already in the words and exit codes of commands. */
    static final class Session {
        private final QmpClient client;

        Session(QmpClient client) {
            this.client = client;
        }

        JsonNode execute(String command, ObjectNode arguments) throws IOException {
            try {
                return client.execute(command, arguments);
            } catch (QmpException e) {
                throw new CommandFailure(ExitCode.FAILED, e);
            }
        }

        JsonNode execute(String command) throws IOException {
            return execute(command, Json.object());
        }

        /** True if the process knows the VM, and no VMM is connected for it. */
        boolean waitsForVmm(String vm) throws IOException {
            for (JsonNode known : execute("query-vms")) {
                if (known.path("name").asText().equals(vm)) {
                    return known.path("responding").asBoolean()
                            && !known.path("connected").asBoolean();
                }
            }
            return false;
        }

        QmpClient client() {
            return client;
        }
    }

    /** Connects, talks, disconnects; returns the exit code. */
    int connect(Talk talk) {
        Path socket = path != null ? path : SocketPath.ofUser();
        try (QmpClient client = open(socket)) {
            return talk.with(new Session(client));
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, "control socket " + socket + ": " + e.getMessage());
        }
    }

    private static QmpClient open(Path socket) {
        try {
            return QmpClient.connect(socket);
        } catch (IOException e) {
            throw new CommandFailure(
                    ExitCode.UNAVAILABLE,
                    "nobody answers on the control socket " + socket + " (" + e.getMessage()
                            + "); start one with \"exomem serve\", or name its socket with --control");
        }
    }
}
