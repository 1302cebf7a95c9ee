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
 * The program under test, started apart from the back-end that the other checks use, in a folder of its own. Only one that its
 * user starts with {@code --socket-path {socket}} claims to follow the conventions.
 */
final class Program implements AutoCloseable {
    /** A Java program takes its time on a machine that has others to run. */
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

    /** Of the back-end under test; closed with the trial. */
    static Program of(Trial trial) throws IOException {
        String command = trial.backEnd()
                .command()
                .orElseThrow(() -> new Skipped("the program is not started by this runner (--command)"));
        if (!SOCKET_OPTION.matcher(command).find()) {
            throw new Skipped(
                    "the command does not have '--socket-path {socket}': the program does not claim to follow the"
                            + " conventions for back-end programs");
        }
        return trial.closeLater(new Program(command));
    }

    /** The command with other options instead of {@code --socket-path}, in which {@code {socket}} is {@link #socket}. */
    String with(String options) {
        return SOCKET_OPTION
                .matcher(command)
                .replaceFirst(Matcher.quoteReplacement(options))
                .replace("{socket}", socket().toString());
    }

    Path socket() {
        return folder.resolve("socket");
    }

    /** Starts it, with other options instead of {@code --socket-path}. */
    Process start(String options) throws IOException {
        Process started = new ProcessBuilder("sh", "-c", with(options))
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .start();
        process = Optional.of(started);
        return started;
    }

    /** Starts it, and lets it end by itself; what it writes to its standard output is in {@link #output}. */
    Process startAlone(String options) throws IOException {
        Process started = new ProcessBuilder("sh", "-c", with(options))
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .redirectOutput(output.toFile())
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .start();
        process = Optional.of(started);
        return started;
    }

    /** What it has written. */
    String output() throws IOException {
        return Files.readString(output).strip();
    }

    /** A connection as soon as there is one to be had; empty if the process ended, or there is none within its time. */
    Optional<Fd> connect(Process started) throws IOException {
        long end = System.nanoTime() + TO_START.toNanos();
        while (System.nanoTime() < end) {
            try {
                return Optional.of(UnixSockets.connect(socket()));
            } catch (IOException e) {
                // A program that has put itself into the background may still begin to listen.
                if (!started.isAlive() && started.exitValue() != 0) {
                    return Optional.empty();
                }
                Waiting.aMoment();
            }
        }
        return Optional.empty();
    }

    /** The program itself, where the shell has stayed between. */
    static ProcessHandle itself(Process started) {
        return started.descendants().reduce((_, last) -> last).orElse(started.toHandle());
    }

    /** True if it has ended within the time. */
    static boolean ends(Process started, Duration longest) {
        try {
            return started.waitFor(longest.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        }
    }

    /** Ends it, and removes what it left. */
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
