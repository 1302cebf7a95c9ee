package org.exomem.vmm;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A process {@code exomem serve} with a control socket and a balloon for each of some VMs, run from this program's
 * class path. Closing it ends the process and removes its files.
 */
public final class BackEnd implements AutoCloseable {

    private static final Duration START_LIMIT = Duration.ofSeconds(30);

    private final Path folder;
    private final Process process;
    private final QmpClient control;

    private BackEnd(Path folder, Process process, QmpClient control) {
        this.folder = folder;
        this.process = process;
        this.control = control;
    }

    /**
     * Starts the process and returns when it can be asked.
     *
     * @param balloons one for each VM: its name, then options of {@code --balloon} as in {@code a,deflate-on-oom=on}
     */
    public static BackEnd start(String... balloons) throws IOException {
        Path folder = Files.createTempDirectory("exomem-back-end");
        Process process = null;
        try {
            Path control = folder.resolve("control");
            process = new ProcessBuilder(words(folder, control, balloons))
                    .redirectErrorStream(true)
                    .redirectOutput(folder.resolve("output").toFile())
                    .start();
            return new BackEnd(folder, process, connect(process, control));
        } catch (IOException e) {
            IOException failure = new IOException("the back-end did not start: " + e + output(folder), e);
            if (process != null) {
                process.destroyForcibly();
            }
            delete(folder);
            throw failure;
        }
    }

    /** Returns what the control socket can be told about one VM's balloon. */
    public BalloonControl balloon(String vm) {
        return new BalloonControl(control, vm);
    }

    public QmpClient control() {
        return control;
    }

    /** Returns where the VMM of that VM attaches. */
    public Path socket(String vm) {
        return socket(folder, vm);
    }

    public long pid() {
        return process.pid();
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /** Returns what the process wrote, for the message of a failed test. */
    public String output() {
        return output(folder);
    }

    /** Asks the process to end, as an operator would, and returns its exit code. */
    public int terminate() throws IOException {
        process.destroy();
        return awaitExit();
    }

    /** Kills the process as a crash would: nobody is told first, and its sockets stay behind. */
    public void kill() throws IOException {
        process.destroyForcibly();
        awaitExit();
    }

    @Override
    public void close() throws IOException {
        control.close();
        process.destroyForcibly();
        awaitExit();
        delete(folder);
    }

    private static List<String> words(Path folder, Path control, String... balloons) {
        List<String> words = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                // Surefire may put a jar that only names the others on the class path proper.
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                "org.exomem.backend.Exomem",
                "serve",
                "--control",
                control.toString()));
        for (String balloon : balloons) {
            String[] nameAndOptions = balloon.split(",", 2);
            words.add("--balloon");
            words.add("vm=" + nameAndOptions[0] + ",socket=" + socket(folder, nameAndOptions[0])
                    + (nameAndOptions.length == 2 ? "," + nameAndOptions[1] : ""));
        }
        return words;
    }

    private static Path socket(Path folder, String vm) {
        return folder.resolve(vm + ".sock");
    }

    private static QmpClient connect(Process process, Path control) throws IOException {
        long deadline = System.nanoTime() + START_LIMIT.toNanos();
        IOException last = new IOException("no control socket within " + START_LIMIT.toSeconds() + " s");
        try {
            // The wait ends early if the process does.
            while (!process.waitFor(10, TimeUnit.MILLISECONDS)) {
                if (Files.exists(control)) {
                    try {
                        return QmpClient.connect(control);
                    } catch (IOException e) {
                        last = e;
                    }
                }
                if (System.nanoTime() - deadline > 0) {
                    throw last;
                }
            }
            throw new IOException("exit code " + process.exitValue());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the back-end starts", e);
        }
    }

    private int awaitExit() throws IOException {
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                throw new IOException("the back-end, process " + process.pid() + ", does not end when asked to");
            }
            return process.exitValue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while the back-end ends", e);
        }
    }

    private static String output(Path folder) {
        try {
            return System.lineSeparator()
                    + Files.readString(folder.resolve("output")).strip();
        } catch (IOException e) {
            return System.lineSeparator() + e;
        }
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.deleteIfExists(file);
            }
        }
        Files.deleteIfExists(folder);
    }
}
