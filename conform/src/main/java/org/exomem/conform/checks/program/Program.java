package org.exomem.conform.checks.program;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.exomem.conform.trial.Skipped;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Waiting;
import org.exomem.linux.Fd;
import org.exomem.linux.UnixSockets;

/**
 * The program under test, in a folder of its own and apart from the back-end that the other checks use. A program
 * claims to follow the conventions if its user starts it with {@code --socket-path {socket}}.
 */
final class Program implements AutoCloseable {
    /** Long, because a Java program starts slowly on a busy machine. */
    static final Duration TO_START = Duration.ofMinutes(1);

    private static final Pattern SOCKET_OPTION = Pattern.compile("--socket-path(=|\\s+)([\"']?)\\{socket}\\2");
    private static final Duration TO_END = Duration.ofSeconds(5);

    private final String command;
    private final Path folder;
    private final Path output;
    private Optional<Process> process = Optional.empty();

    private Program(String command) throws IOException {
        this.command = command;
        this.folder = Files.createTempDirectory("exomem-program");
        this.output = folder.resolve("output");
    }

    /** The program of the back-end under test; closed with the trial. */
    static Program of(Trial trial) throws IOException {
        String command = trial.backEnd()
                .command()
                .orElseThrow(() -> new Skipped("the runner did not start the program (--command)"));
        if (!SOCKET_OPTION.matcher(command).find()) {
            throw new Skipped(
                    "the command does not contain '--socket-path {socket}': the program does not claim to follow the"
                            + " conventions for back-end programs");
        }
        return trial.closeLater(new Program(command));
    }

    /**
     * The command with other options instead of {@code --socket-path}; {@code {socket}} in them becomes {@link
     * #socket}.
     */
    String with(String options) {
        return SOCKET_OPTION
                .matcher(command)
                .replaceFirst(Matcher.quoteReplacement(options))
                .replace("{socket}", socket().toString());
    }

    Path socket() {
        return folder.resolve("socket");
    }

    /** Starts the program with other options instead of {@code --socket-path}. */
    Process start(String options) throws IOException {
        Process started = new ProcessBuilder("sh", "-c", with(options))
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .start();
        process = Optional.of(started);
        return started;
    }

    /** Starts the program, which should end by itself. Its standard output goes to {@link #output}. */
    Process startAlone(String options) throws IOException {
        Process started = new ProcessBuilder("sh", "-c", with(options))
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .redirectOutput(output.toFile())
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .start();
        process = Optional.of(started);
        return started;
    }

    /** The program's output so far. */
    String output() throws IOException {
        return Files.readString(output).strip();
    }

    /** Connects as soon as that is possible. Empty if the process ended with an error, or did not listen in time. */
    Optional<Fd> connect(Process started) throws IOException {
        long end = System.nanoTime() + TO_START.toNanos();
        while (System.nanoTime() < end) {
            try {
                return Optional.of(UnixSockets.connect(socket()));
            } catch (IOException e) {
                // A program that has moved to the background may still begin to listen.
                if (!started.isAlive() && started.exitValue() != 0) {
                    return Optional.empty();
                }
                Waiting.aMoment();
            }
        }
        return Optional.empty();
    }

    /** The program itself: where the shell still runs, the shell's child. */
    static ProcessHandle itself(Process started) {
        return started.descendants().reduce((_, last) -> last).orElse(started.toHandle());
    }

    /** True if the process ends in time. */
    static boolean ends(Process started, Duration longest) {
        try {
            return started.waitFor(longest.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** Ends the program, and removes the files that it left. */
    @Override
    public void close() throws IOException {
        process.ifPresent(started -> {
            started.descendants().forEach(ProcessHandle::destroy);
            started.destroy();
            if (!ends(started, TO_END)) {
                started.descendants().forEach(ProcessHandle::destroyForcibly);
                started.destroyForcibly();
            }
        });
        Files.deleteIfExists(socket());
        Files.deleteIfExists(output);
        try (var rest = Files.list(folder)) {
            for (Path file : rest.toList()) {
                Files.deleteIfExists(file);
            }
        }
        Files.deleteIfExists(folder);
    }
}
