package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.exomem.backend.control.SocketPath;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.NoQmpException;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.qmp.QmpException;
import org.exomem.backend.qmp.UntrustedServerException;
import org.exomem.backend.vm.NearNames;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Usage;
import org.exomem.linux.UnixSockets;
import org.jspecify.annotations.Nullable;

/** {@code --control}: selects the serving process for a command. */
final class ControlOption {
    /** How the process that serves calls itself, before its version. */
    private static final String PROGRAM = "exomem";

    private @Nullable Path path;

    void describe(Usage usage) {
        usage.path(
                "--control",
                "SOCKET",
                "The control socket of the serving process (default: as for \"exomem serve\").",
                value -> path = value);
    }

    /** The given socket, or the default of "exomem serve". */
    Path socket() {
        Path named = path;
        return named != null ? named : SocketPath.ofUser();
    }

    /** Uses a connection. */
    @FunctionalInterface
    interface Talk {
        int with(Session session) throws IOException;
    }

    /** Uses a connection without an exit code as the result. */
    @FunctionalInterface
    interface Question {
        void to(Session session) throws IOException;
    }

    /** A connection on which a refused command is a failure of this command. */
    static final class Session {
        private final QmpClient client;

        Session(QmpClient client) {
            this.client = client;
        }

        /** @throws CommandFailure if the command is refused */
        JsonNode execute(String command, ObjectNode arguments) throws IOException {
            try {
                return client.execute(command, arguments);
            } catch (QmpException e) {
                throw new CommandFailure(ExitCode.FAILED, e);
            }
        }

        /** As above, for a command that may take longer. */
        JsonNode execute(String command, ObjectNode arguments, Duration limit) throws IOException {
            try {
                return client.execute(command, arguments, limit);
            } catch (QmpException e) {
                throw new CommandFailure(ExitCode.FAILED, e);
            }
        }

        JsonNode execute(String command) throws IOException {
            return execute(command, Json.object());
        }

        /** True if the process knows the VM, and no VMM is connected for it. */
        boolean waitsForVmm(String vm) throws IOException {
            JsonNode known = vm(vm);
            return known.path("responding").asBoolean()
                    && !known.path("connected").asBoolean();
        }

        /** The description of the VM by the process; a missing node if the process does not know it. */
        JsonNode vm(String name) throws IOException {
            for (JsonNode known : execute("query-vms")) {
                if (known.path("name").asText().equals(name)) {
                    return known;
                }
            }
            return Json.object().path(name);
        }

        /**
         * The same.
         *
         * @throws CommandFailure if the process does not know it, with the names that it knows
         */
        JsonNode known(String name) throws IOException {
            List<String> names = new ArrayList<>();
            for (JsonNode known : execute("query-vms")) {
                if (known.path("name").asText().equals(name)) {
                    return known;
                }
                names.add(known.path("name").asText());
            }
            throw new CommandFailure(ExitCode.FAILED, NearNames.unknown(name, names));
        }

        QmpClient client() {
            return client;
        }
    }

    /** Connects, runs {@code talk}, and disconnects; returns the exit code. */
    int connect(Talk talk) {
        Path socket = socket();
        try (QmpClient client = open(socket)) {
            return talk.with(new Session(client));
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, "control socket " + socket + ": " + e.getMessage());
        }
    }

    /**
     * As {@link #connect}, for a step that the command can do without, or has to undo.
     *
     * @throws IOException if it fails, for whatever reason
     */
    void ask(Question question) throws IOException {
        try {
            connect(session -> {
                question.to(session);
                return ExitCode.OK;
            });
        } catch (CommandFailure e) {
            throw new IOException(String.valueOf(e.getMessage()), e);
        }
    }

    private static QmpClient open(Path socket) {
        try {
            QmpClient client = QmpClient.connectToOwn(socket);
            if (!client.program().startsWith(PROGRAM)) {
                client.close();
                throw new CommandFailure(
                        ExitCode.UNAVAILABLE,
                        "the process on " + socket + " is not exomem, but another program that speaks QMP, such as a"
                                + " VMM; name the control socket of \"exomem serve\" with --control");
            }
            return client;
        } catch (QmpException e) {
            throw new CommandFailure(
                    ExitCode.UNAVAILABLE,
                    "the process on the control socket " + socket + " refuses: " + e.getMessage());
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.UNAVAILABLE, whyNot(socket, e));
        }
    }

    /** The problem and its remedy. "start one" helps only if no process serves. */
    private static String whyNot(Path socket, IOException e) {
        if (e instanceof UntrustedServerException) {
            return "the control socket " + socket + " is not used: " + e.getMessage();
        }
        if (e instanceof SocketTimeoutException) {
            return "the process on the control socket " + socket + " does not answer (" + e.getMessage() + ")";
        }
        if (e instanceof NoQmpException) {
            return socket + " is not a control socket: " + e.getMessage()
                    + "; name the control socket of \"exomem serve\" with --control";
        }
        if (socket.toString().getBytes(StandardCharsets.UTF_8).length > UnixSockets.MAX_PATH_BYTES) {
            return "the path of the control socket " + socket + " is too long: the limit is "
                    + UnixSockets.MAX_PATH_BYTES + " bytes";
        }
        if (Files.exists(socket) && !Files.isWritable(socket)) {
            return "no permission to use the control socket " + socket
                    + "; run this as the user who runs \"exomem serve\", or as root";
        }
        return "no process answers on the control socket " + socket + " (" + e.getMessage()
                + "); start \"exomem serve\", or name its socket with --control";
    }
}
