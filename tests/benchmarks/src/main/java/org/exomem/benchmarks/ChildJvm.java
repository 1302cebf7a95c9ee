package org.exomem.benchmarks;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.exomem.linux.Fd;
import org.exomem.linux.MessageSocket;
import org.exomem.linux.Poll;
import org.exomem.linux.UnixSockets;

/**
 * A class that runs as another process, with this one's JVM and class path. It receives descriptors when it starts,
 * then lines, and answers each line with one line.
 */
final class ChildJvm implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private final Process process;
    private final PrintStream questions;
    private final BufferedReader answers;

    private ChildJvm(Process process) {
        this.process = process;
        this.questions = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
        this.answers = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    }

    /** The words that start a JVM like this one with that class. Its arguments follow. */
    static List<String> words(String mainClass) {
        return new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-Xmx512m",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                // Surefire may use a class path with a single jar that names the others.
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                mainClass));
    }

    /** Starts a class whose main calls {@link #descriptors} first. The descriptors remain the caller's. */
    static ChildJvm start(Class<?> main, List<Fd> descriptors) throws IOException {
        return start(List.of(), main, descriptors);
    }

    /**
     * The same for a process that this one traces. It is the child of a shell: the JDK waits for its own children, and
     * would receive the stops of a traced child instead of the tracer.
     */
    static ChildJvm startBelowShell(Class<?> main, List<Fd> descriptors) throws IOException {
        return start(List.of("sh", "-c", "\"$@\"; exit $?", "sh"), main, descriptors);
    }

    private static ChildJvm start(List<String> before, Class<?> main, List<Fd> descriptors) throws IOException {
        Path folder = Files.createTempDirectory("exomem-benchmark");
        Path socket = folder.resolve("descriptors");
        try (Fd listening = UnixSockets.listen(socket, 1)) {
            List<String> words = new ArrayList<>(before);
            words.addAll(words(main.getName()));
            words.add(socket.toString());
            ChildJvm child = new ChildJvm(new ProcessBuilder(words)
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start());
            try {
                child.give(listening, descriptors);
                return child;
            } catch (IOException e) {
                child.close();
                throw e;
            }
        } finally {
            Files.deleteIfExists(socket);
            Files.delete(folder);
        }
    }

    private void give(Fd listening, List<Fd> descriptors) throws IOException {
        Fd accepted = Poll.readable(listening, LIMIT) ? UnixSockets.accept(listening) : null;
        if (accepted == null) {
            throw new SocketTimeoutException("process " + process.pid() + " did not fetch its descriptors");
        }
        try (MessageSocket socket = new MessageSocket(accepted);
                Arena arena = Arena.ofConfined()) {
            socket.send(arena.allocate(1), descriptors, (int) LIMIT.toMillis());
        }
    }

    /** In the child: returns the descriptors that it received. */
    static List<Fd> descriptors(String[] arguments) throws IOException {
        List<Fd> descriptors = new ArrayList<>();
        try (MessageSocket socket = new MessageSocket(UnixSockets.connect(Path.of(arguments[0])))) {
            MemorySegment one = Arena.ofAuto().allocate(1);
            if (!Poll.readable(socket.fd(), LIMIT) || socket.receive(one, descriptors) != 1) {
                throw new IOException("the parent sent no descriptors");
            }
        }
        return descriptors;
    }

    /** In the child: answers lines until the input ends. */
    static void serve(UnaryOperator<String> answer) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            out.println(answer.apply(line));
        }
    }

    /** Sends a line. {@link #answer} must be called before the next line. */
    void tell(String question) {
        questions.println(question);
    }

    /** Waits for the answer to the last line. */
    String answer() throws IOException {
        String answer = answers.readLine();
        if (answer == null) {
            throw new IOException("process " + process.pid() + " exited without an answer");
        }
        return answer;
    }

    @Override
    public void close() {
        questions.close();
        try {
            if (!process.waitFor(LIMIT.toSeconds(), TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
