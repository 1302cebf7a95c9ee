package org.exomem.conform.checks.program;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.exomem.conform.check.Check;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Unmet;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.linux.Fd;
import org.exomem.linux.UnixSockets;
import org.exomem.linux.process.InheritingProcess;

/** The conventions for a back-end's program. Only for a back-end that is started by a command. */
public final class ProgramChecks {
    private static final String SOCKET_PATH = "--socket-path={socket}";
    private static final String INHERITED = "--fd=" + InheritingProcess.NUMBER;
    private static final String CAPABILITIES = "--print-capabilities";
    private static final Duration TO_END = Duration.ofSeconds(5);
    private static final int BACKLOG = 1;

    public static final List<Check> ALL = List.of(
            Check.of(
                            "vhost.program.7",
                            "The program serves on the socket that --socket-path names",
                            ProgramChecks::socketPath)
                    .and("vhost.program.12"),
            Check.of("vhost.program.5", "The program stays in the foreground", ProgramChecks::staysInForeground),
            Check.of("vhost.program.6", "The program exits on SIGTERM", ProgramChecks::endsAtSigterm),
            Check.of(
                            "vhost.program.8",
                            "The program serves on the inherited socket that --fd names",
                            ProgramChecks::inheritedSocket)
                    .and("vhost.program.12"),
            Check.of(
                    "vhost.program.9",
                    "The program does not accept --socket-path and --fd together",
                    ProgramChecks::notBoth),
            Check.of(
                            "vhost.program.10",
                            "The program prints its capabilities in JSON and exits with status 0",
                            ProgramChecks::printsCapabilities)
                    .and("vhost.program.12"),
            Check.of(
                    "vhost.program.11",
                    "With --print-capabilities the program ignores other options and creates no socket",
                    ProgramChecks::capabilitiesOnly));

    /** Observable requirements without a check, and why. */
    public static final Map<String, String> UNTRIED = Map.of();

    private ProgramChecks() {}

    private static Process started(Trial trial, Program program) throws IOException {
        Process process = program.start(SOCKET_PATH);
        Optional<Fd> connection = program.connect(process);
        if (connection.isEmpty()) {
            throw new Unmet("the program did not listen on the socket of --socket-path within "
                    + Program.TO_START.toSeconds() + " s; it wrote: " + program.output());
        }
        try (FrontEnd frontEnd = new FrontEnd(
                connection.get(),
                trial.limits().answer(),
                trial.transcript().frontEnd(),
                trial.transcript().backEndChannel())) {
            frontEnd.getFeatures();
        }
        return process;
    }

    private static void socketPath(Trial trial) throws IOException {
        started(trial, Program.of(trial));
    }

    private static void staysInForeground(Trial trial) throws IOException {
        Program program = Program.of(trial);
        Process process = program.start(SOCKET_PATH);
        try (Fd _ = program.connect(process).orElseThrow(() -> new Unmet("the program did not start to listen"))) {
            trial.expect(
                    process.isAlive(), "the started process has exited, but another process listens on its socket");
        }
    }

    private static void endsAtSigterm(Trial trial) throws IOException {
        Process process = started(trial, Program.of(trial));
        if (!process.isAlive()) {
            // The program serves a single connection: no process is left that could be asked to end.
            return;
        }
        Program.itself(process).destroy();
        trial.expect(
                Program.ends(process, TO_END), "the program still runs " + TO_END.toSeconds() + " s after SIGTERM");
    }

    /** "The vhost-user socket" may be connected or listening: programs take the one or the other. */
    private static void inheritedSocket(Trial trial) throws IOException {
        Program program = Program.of(trial);
        List<Fd> pair = UnixSockets.pair();
        try (Fd theirs = pair.get(1);
                FrontEnd frontEnd = frontEnd(trial, pair.get(0));
                InheritingProcess process = InheritingProcess.start(program.with(INHERITED), theirs)) {
            theirs.close();
            frontEnd.getFeatures();
            process.terminate(TO_END);
            return;
        } catch (IOException e) {
            trial.transcript().say("the program does not serve a connected socket: " + e.getMessage());
        }
        try (Fd listening = UnixSockets.listen(program.socket(), BACKLOG);
                InheritingProcess process = InheritingProcess.start(program.with(INHERITED), listening);
                FrontEnd frontEnd = frontEnd(trial, UnixSockets.connect(program.socket()))) {
            listening.close();
            frontEnd.getFeatures();
            process.terminate(TO_END);
        } catch (IOException e) {
            throw new Unmet("with " + INHERITED
                    + " the program serves neither a connected socket nor a listening socket: " + e.getMessage());
        }
    }

    private static FrontEnd frontEnd(Trial trial, Fd connection) {
        return new FrontEnd(
                connection,
                Program.TO_START,
                trial.transcript().frontEnd(),
                trial.transcript().backEndChannel());
    }

    private static void notBoth(Trial trial) throws IOException {
        Program program = Program.of(trial);
        List<Fd> pair = UnixSockets.pair();
        try (Fd _ = pair.get(0);
                Fd theirs = pair.get(1);
                InheritingProcess process =
                        InheritingProcess.start(program.with(SOCKET_PATH + " " + INHERITED), theirs)) {
            OptionalInt status = process.awaitEnd(Program.TO_START);
            trial.expect(
                    status.isPresent(),
                    "with --socket-path and --fd the program still runs after " + Program.TO_START.toSeconds() + " s");
            trial.expect(status.orElse(0) != 0, "with --socket-path and --fd the program exited with status 0");
        }
    }

    private static void printsCapabilities(Trial trial) throws IOException {
        expectCapabilities(trial, Program.of(trial), CAPABILITIES);
    }

    private static void capabilitiesOnly(Trial trial) throws IOException {
        Program program = Program.of(trial);
        expectCapabilities(trial, program, SOCKET_PATH + " " + INHERITED + " " + CAPABILITIES);
        trial.expect(!Files.exists(program.socket()), "with --print-capabilities the program created its socket");
    }

    private static void expectCapabilities(Trial trial, Program program, String options) throws IOException {
        Process process = program.startAlone(options);
        trial.expect(
                Program.ends(process, Program.TO_START),
                "with " + options + " the program still runs after " + Program.TO_START.toSeconds() + " s");
        trial.expect(
                process.exitValue() == 0, "with " + options + " the program exited with status " + process.exitValue());
        String output = program.output();
        JsonNode capabilities;
        try {
            capabilities = new ObjectMapper().readTree(output);
        } catch (JsonProcessingException e) {
            throw new Unmet("the output of the program with " + options + " is not JSON: " + output);
        }
        trial.expect(
                capabilities.path("type").isTextual()
                        && (capabilities.path("features").isMissingNode()
                                || capabilities.path("features").isArray()),
                "the capabilities must be an object with \"type\" (a string) and, optionally, \"features\" (a list),"
                        + " but are "
                        + output);
    }
}
