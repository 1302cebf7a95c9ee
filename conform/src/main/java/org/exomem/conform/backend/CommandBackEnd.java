package org.exomem.conform.backend;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.exomem.conform.trial.BackEnd;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Waiting;
import org.exomem.linux.Fd;
import org.exomem.linux.UnixSockets;
import org.jspecify.annotations.Nullable;

/**
 * A back-end that a command starts, that listens on a socket, and that is started again whenever it has ended. Its
 * output goes to a file; if it crashes, the end of that file is shown.
 *
 * <p>Many programs serve one connection and then end. The first process that does so shows it. From then on, closing a
 * connection waits for the end of its process, so that a crash is reported for the check that caused it.
 */
public final class CommandBackEnd implements BackEnd {
    /** Placeholder in the command for the path of the socket on which the back-end must listen. */
    public static final String SOCKET = "{socket}";

    private static final Duration TO_END = Duration.ofSeconds(5);
    /** How long to wait for a crash after the end of a connection: it may come a moment later. */
    private static final Duration TO_CRASH = Duration.ofMillis(10);

    /** How much of the end of the output is shown, in bytes and lines. */
    private static final int LAST_BYTES = 2000;

    private static final int LAST_LINES = 12;
    private static final int SIGNALLED = 128;

    private final String command;
    private final Duration limit;
    private final Path folder;
    private final Path socket;
    private final Path output;
    private @Nullable Process process;
    /** Whether the running process has taken a connection. */
    private boolean connected;
    /** Whether a process ends with its connection. */
    private boolean endsWithConnection;
    /** A crash that was not reported yet. */
    private @Nullable Ending crash;

    /**
     * @param command for the shell; contains {@link #SOCKET}
     * @param limit the longest time until the back-end listens
     */
    public CommandBackEnd(String command, Duration limit) throws IOException {
        this.command = command;
        this.limit = limit;
        this.folder = Files.createTempDirectory("exomem-conform");
        this.socket = folder.resolve("socket");
        this.output = folder.resolve("output");
    }

    @Override
    public String description() {
        return command;
    }

    @Override
    public Optional<String> command() {
        return Optional.of(command);
    }

    /** @throws Skipped if the process serves one connection only, and still serves the previous one */
    @Override
    public Fd connect() throws IOException {
        if (endsWithConnection) {
            endsWithConnection = awaitEnd(TO_END);
        }
        if (process == null || !process.isAlive()) {
            start();
        }
        long end = System.nanoTime() + limit.toNanos();
        long refusedUntil = System.nanoTime() + TO_END.toNanos();
        while (true) {
            try {
                Fd connection = UnixSockets.connect(socket);
                connected = true;
                return connection;
            } catch (IOException e) {
                if (!running().isAlive()) {
                    if (!connected) {
                        Ending ending = ending();
                        throw new IOException(
                                "the back-end ended before it listened (" + ending + ")" + ending.written(), e);
                    }
                    start();
                } else if (connected && System.nanoTime() > refusedUntil) {
                    throw new Skipped("the back-end's process accepts only one connection");
                } else if (System.nanoTime() > end) {
                    throw new IOException("the back-end did not listen on " + socket + " within " + limit.toSeconds()
                            + " s: " + e.getMessage());
                }
                Waiting.aMoment();
            }
        }
    }

    private void start() throws IOException {
        if (process != null) {
            learn(ending());
        }
        Files.deleteIfExists(socket);
        connected = false;
        process = new ProcessBuilder("sh", "-c", command.replace(SOCKET, socket.toString()))
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .start();
    }

    /** Waits for the end of a process whose connection was closed. Returns false if the process did not end in time. */
    private boolean awaitEnd(Duration longest) {
        try {
            return process == null || !connected || process.waitFor(longest.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    private Process running() {
        if (process == null) {
            throw new IllegalStateException("not started");
        }
        return process;
    }

    /** The process id of the back-end itself: where the shell still runs, that of its child. */
    @Override
    public OptionalLong pid() {
        if (process == null || !process.isAlive()) {
            return OptionalLong.empty();
        }
        List<ProcessHandle> below = process.descendants().toList();
        return OptionalLong.of(below.isEmpty() ? process.pid() : below.getLast().pid());
    }

    @Override
    public Optional<Ending> ended() {
        if (endsWithConnection) {
            endsWithConnection = awaitEnd(TO_END);
        } else {
            awaitEnd(TO_CRASH);
        }
        if (process != null && !process.isAlive()) {
            Ending ending = ending();
            learn(ending);
            process = null;
            if (crash == null) {
                return Optional.of(ending);
            }
        }
        Optional<Ending> told = Optional.ofNullable(crash);
        crash = null;
        return told;
    }

    private void learn(Ending ending) {
        if (ending.isCrash()) {
            crash = ending;
        } else if (connected && ending.status() == 0) {
            endsWithConnection = true;
        }
    }

    @Override
    public boolean kill() {
        if (process == null || !process.isAlive()) {
            return false;
        }
        List<ProcessHandle> all = Stream.concat(process.descendants(), Stream.of(process.toHandle()))
                .toList();
        all.forEach(ProcessHandle::destroyForcibly);
        all.forEach(handle -> handle.onExit().join());
        process = null;
        return true;
    }

    private Ending ending() {
        int status = running().exitValue();
        return status > SIGNALLED ? new Ending(status - SIGNALLED, 0, lastWords()) : new Ending(0, status, lastWords());
    }

    private String lastWords() {
        try {
            byte[] all = Files.readAllBytes(output);
            int from = Math.max(0, all.length - LAST_BYTES);
            List<String> lines = new String(all, from, all.length - from, StandardCharsets.UTF_8)
                    .strip()
                    .lines()
                    .toList();
            return String.join("\n", lines.subList(Math.max(0, lines.size() - LAST_LINES), lines.size()));
        } catch (IOException e) {
            return "";
        }
    }

    /** Ends the process and all that it has started, and removes the files that it left. */
    @Override
    public void close() {
        if (process != null) {
            List<ProcessHandle> all = Stream.concat(process.descendants(), Stream.of(process.toHandle()))
                    .toList();
            all.forEach(ProcessHandle::destroy);
            try {
                process.waitFor(TO_END.toMillis(), TimeUnit.MILLISECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            all.forEach(ProcessHandle::destroyForcibly);
        }
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            // The file stays behind, which is harmless.
        }
    }
}
