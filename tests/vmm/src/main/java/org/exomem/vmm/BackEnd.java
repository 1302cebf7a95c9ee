package org.exomem.vmm;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A process {@code exomem serve} with a control socket and the devices of some VMs, run from this program's class path.
 * Closing it ends the process and deletes its files.
 */
public final class BackEnd implements AutoCloseable {

    private static final Duration START_LIMIT = Duration.ofSeconds(60);

    private final Path folder;
    private final List<String> words;
    private Process process;
    private QmpClient control;

    private BackEnd(Path folder, List<String> words, Process process, QmpClient control) {
        this.folder = folder;
        this.words = words;
        this.process = process;
        this.control = control;
    }

    /**
     * Starts the process, and returns when its control socket answers.
     *
     * @param balloons one for each VM: its name, then options of {@code --balloon}, such as {@code a,deflate-on-oom=on}
     */
    public static BackEnd start(String... balloons) throws IOException {
        return start(List.of(balloons), List.of());
    }

    /**
     * Starts the process, and returns when its control socket answers.
     *
     * @param balloons as above
     * @param memories the VM's name and the device's, then options of {@code --mem}, such as {@code
     * a/m0,addr=4G,size=1G}
     */
    public static BackEnd start(List<String> balloons, List<String> memories) throws IOException {
        return start(balloons, memories, List.of());
    }

    /**
     * Starts the process, and returns when its control socket answers.
     *
     * @param balloons as above
     * @param memories as above
     * @param options further options of {@code serve}
     */
    public static BackEnd start(List<String> balloons, List<String> memories, List<String> options) throws IOException {
        Path folder = Files.createTempDirectory("exomem-back-end");
        Process process = null;
        try {
            Path control = folder.resolve("control");
            List<String> words = new ArrayList<>(ExomemJvm.words("serve", "--control", control.toString()));
            words.addAll(options);
            balloons.forEach(balloon -> words.addAll(List.of("--balloon", device(folder, balloon))));
            memories.forEach(memory -> words.addAll(List.of("--mem", device(folder, memory))));
            process = start(words, folder);
            return new BackEnd(folder, words, process, connect(process, control));
        } catch (IOException e) {
            IOException failure = new IOException("the back-end did not start: " + e + output(folder), e);
            if (process != null) {
                process.destroyForcibly();
            }
            delete(folder);
            throw failure;
        }
    }

    private static Process start(List<String> words, Path folder) throws IOException {
        return new ProcessBuilder(words)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(
                        folder.resolve("output").toFile()))
                .start();
    }

    /** Starts the process again after its end, with the same options and in the same folder. */
    public void restart() throws IOException {
        awaitExit();
        control.close();
        process = start(words, folder);
        control = connect(process, folder.resolve("control"));
    }

    /** Returns the commands of the control socket for one VM's balloon. */
    public BalloonControl balloon(String vm) {
        return new BalloonControl(control, vm);
    }

    /** Returns the commands of the control socket for one VM's memory device. */
    public MemoryControl memory(String vm, String id) {
        return new MemoryControl(control, vm, id);
    }

    public QmpClient control() {
        return control;
    }

    /** Returns the path of the socket of the balloon {@code a} or the memory device {@code a/m0}. */
    public Path socket(String device) {
        return socket(folder, device);
    }

    /** Runs a command of {@code exomem}, such as {@code mem a --json}, which must succeed, and returns its output. */
    public String command(String... words) throws IOException {
        return run(Stream.concat(
                        Stream.of(words),
                        Stream.of("--control", folder.resolve("control").toString()))
                .toArray(String[]::new));
    }

    /** The same for a command that does not connect to the control socket. */
    public String run(String... words) throws IOException {
        List<String> all = ExomemJvm.words(words);
        Path errors = folder.resolve("errors");
        Process command = new ProcessBuilder(all).redirectError(errors.toFile()).start();
        try {
            command.getOutputStream().close();
            String output = new String(command.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            int exitCode = command.waitFor();
            if (exitCode != 0) {
                throw new IOException("exomem " + String.join(" ", words) + ": exit code " + exitCode + ": "
                        + Files.readString(errors).strip());
            }
            return output;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while exomem " + String.join(" ", words) + " runs", e);
        } finally {
            command.destroyForcibly();
        }
    }

    public long pid() {
        return process.pid();
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /** Returns the output of the process, for the message of a failed test. */
    public String output() {
        return output(folder);
    }

    /** Asks the process to end, as an operator would, and returns its exit code. */
    public int terminate() throws IOException {
        process.destroy();
        return awaitExit();
    }

    /** Kills the process, as in a crash: its peers get no message, and its sockets remain. */
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

    /**
     * Returns a device in the form of {@code serve}: from {@code a/m0,size=1G}, {@code vm=a,id=m0,socket=…,size=1G}.
     */
    private static String device(Path folder, String text) {
        String[] nameAndOptions = text.split(",", 2);
        String[] vmAndId = nameAndOptions[0].split("/", 2);
        return "vm=" + vmAndId[0]
                + (vmAndId.length == 2 ? ",id=" + vmAndId[1] : "")
                + ",socket=" + socket(folder, nameAndOptions[0])
                + (nameAndOptions.length == 2 ? "," + nameAndOptions[1] : "");
    }

    private static Path socket(Path folder, String device) {
        return folder.resolve(device.replace('/', '-') + ".sock");
    }

    /** Returns when the process answers on its control socket. */
    static QmpClient connect(Process process, Path control) throws IOException {
        long deadline = System.nanoTime() + START_LIMIT.toNanos();
        IOException last = new IOException("no control socket within " + START_LIMIT.toSeconds() + " s");
        try {
            // The wait ends early if the process ends.
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
            if (!process.waitFor(60, TimeUnit.SECONDS)) {
                throw new IOException(
                        "the back-end, process " + process.pid() + ", did not exit after a request to end");
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
