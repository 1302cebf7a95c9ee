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
 * A back-end that is started with a command, listens, and is started again whenever it has ended. What it writes goes to a file, of which the
 * end is shown if it crashes.
 *
 * <p>Many programs serve one connection and then end. That is found out by the first that does: from then on, the end of a
 * process is waited for when its connection was closed, so that a crash is told of the check that caused it.
 */
public final class CommandBackEnd implements BackEnd {
    /** Stands in the command for the path on which the back-end has to listen. */
    public static final String SOCKET = "{socket}";

    private static final Duration TO_END = Duration.ofSeconds(5);
    /** A crash may come a moment after the end of the connection that caused it. */
    private static final Duration TO_CRASH = Duration.ofMillis(10);

    /** The end of what it wrote, in bytes and lines. */
    private static final int LAST_BYTES = 2000;

    private static final int LAST_LINES = 12;
    private static final int SIGNALLED = 128;

    private final String command;
    private final Duration limit;
    private final Path folder;
    private final Path socket;
    private final Path output;
    private @Nullable Process process;
    /** Whether the process that runs has taken a connection. */
    private boolean connected;
    /** Whether a process ends with its connection. */
    private boolean endsWithConnection;
    /** A crash that nobody was told of. */
    private @Nullable Ending crash;

    /**
     * @param command for the shell, with {@link #SOCKET} in it
     * @param limit how long it may take until it listens
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

    /** @throws Skipped if the process serves one connection and still has that */
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
                    throw new Skipped("the back-end's process takes one connection only");
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

    /** Waits for the end of a process whose connection was closed; false if it did not come. */
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

    /** The back-end itself, where the shell has stayed between. */
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

    /** Ends the process, and whatever it has started, and removes what it left. */
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
            // It stays behind, and harms nobody.
        }
    }
}
