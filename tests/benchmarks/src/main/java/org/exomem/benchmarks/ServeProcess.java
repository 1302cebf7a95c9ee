package org.exomem.benchmarks;

import java.io.IOException;
import java.net.SocketException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.exomem.vmm.QmpClient;

/**
 * A process {@code exomem serve}, started like a user's, by the launcher in the system property {@code
 * exomem.launcher}. Without the property (in tests) the process runs from this one's class path.
 */
final class ServeProcess implements AutoCloseable {
    /** The name of a VM's memory device. */
    static final String MEMORY_DEVICE = "m0";

    private static final long START_LIMIT_NANOS = TimeUnit.SECONDS.toNanos(30);

    private final Path folder;
    private final Process process;
    private final long startNanos;

    private ServeProcess(Path folder, Process process, long startNanos) {
        this.folder = folder;
        this.process = process;
        this.startNanos = startNanos;
    }

    /**
     * Starts the process. Returns when every VM's socket and the control socket accept connections.
     *
     * @param balloons one for each VM: its name, then options of {@code --balloon}, such as {@code a,discard=off}
     */
    static ServeProcess start(List<String> balloons) throws IOException {
        return start("--balloon", "", balloons, false, "");
    }

    /**
     * Like {@link #start}, with more options for the JVM.
     *
     * @param javaOptions such as {@code -Xmx64m}; only the launcher accepts them
     */
    static ServeProcess start(List<String> balloons, String javaOptions) throws IOException {
        return start("--balloon", "", balloons, false, javaOptions);
    }

    /** Like {@link #start}, for one VM, whose state is kept in a file. */
    static ServeProcess startKeeping(String balloon) throws IOException {
        return start("--balloon", "", List.of(balloon), true, "");
    }

    /**
     * Like {@link #start}, for VMs with a memory device each, called {@code m0}.
     *
     * @param memories one for each VM: its name, then options of {@code --mem}, such as {@code a,addr=4G,size=2G}
     * @param keepsState whether the plugged blocks are also kept in a file
     */
    static ServeProcess startMemories(List<String> memories, boolean keepsState) throws IOException {
        return start("--mem", ",id=" + MEMORY_DEVICE, memories, keepsState, "");
    }

    /** Like {@link #start}, for VMs with a balloon and a memory device each. No VMM attaches to the memory device. */
    static ServeProcess startBoth(List<String> names) throws IOException {
        Path folder = Files.createTempDirectory("exomem-benchmark");
        List<String> words = launcher();
        words.addAll(List.of("serve", "--control", folder.resolve("control").toString()));
        List<Path> sockets = new ArrayList<>(List.of(folder.resolve("control")));
        for (String name : names) {
            Path memory = folder.resolve(name + "-" + MEMORY_DEVICE);
            words.addAll(List.of("--balloon", "vm=" + name + ",socket=" + folder.resolve(name)));
            words.addAll(
                    List.of("--mem", "vm=" + name + ",id=" + MEMORY_DEVICE + ",socket=" + memory + ",addr=4G,size=8G"));
            sockets.addFirst(memory);
        }
        return start(folder, words, sockets, "");
    }

    private static ServeProcess start(
            String option, String more, List<String> devices, boolean keepsState, String javaOptions)
            throws IOException {
        Path folder = Files.createTempDirectory("exomem-benchmark");
        List<String> words = launcher();
        words.addAll(List.of("serve", "--control", folder.resolve("control").toString()));
        if (keepsState) {
            words.addAll(List.of("--state", folder.resolve("state").toString()));
        }
        List<Path> sockets = new ArrayList<>(List.of(folder.resolve("control")));
        for (String device : devices) {
            String[] nameAndOptions = device.split(",", 2);
            Path socket = folder.resolve(nameAndOptions[0]);
            sockets.addFirst(socket);
            words.add(option);
            words.add("vm=" + nameAndOptions[0] + more + ",socket=" + socket
                    + (nameAndOptions.length == 2 ? "," + nameAndOptions[1] : ""));
        }
        return start(folder, words, sockets, javaOptions);
    }

    private static ServeProcess start(Path folder, List<String> words, List<Path> sockets, String javaOptions)
            throws IOException {
        long start = System.nanoTime();
        ProcessBuilder builder = new ProcessBuilder(words)
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("output").toFile());
        if (!javaOptions.isEmpty()) {
            builder.environment().put("EXOMEM_JAVA_OPTS", javaOptions);
        }
        Process process = builder.start();
        try {
            for (Path socket : sockets) {
                awaitListening(socket, process, start);
            }
            return new ServeProcess(folder, process, System.nanoTime() - start);
        } catch (IOException e) {
            process.destroyForcibly();
            String output = Files.readString(folder.resolve("output")).strip();
            delete(folder);
            throw new IOException("exomem serve did not start: " + e.getMessage() + ": " + output, e);
        }
    }

    /** The words that start exomem. Those of a command follow. */
    static List<String> launcher() {
        String launcher = System.getProperty("exomem.launcher");
        return launcher == null ? ChildJvm.words("org.exomem.backend.Exomem") : new ArrayList<>(List.of(launcher));
    }

    private static void awaitListening(Path socket, Process process, long start) throws IOException {
        try {
            do {
                if (accepts(socket)) {
                    return;
                }
                if (System.nanoTime() - start > START_LIMIT_NANOS) {
                    throw new IOException("no process listens on " + socket);
                }
            } while (!process.waitFor(1, TimeUnit.MILLISECONDS));
            throw new IOException("exit code " + process.exitValue());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while exomem starts", e);
        }
    }

    private static boolean accepts(Path socket) throws IOException {
        try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
            return channel.connect(UnixDomainSocketAddress.of(socket));
        } catch (SocketException e) {
            return false;
        }
    }

    /** The time from before the start of the process until it accepted connections, in nanoseconds. */
    long startNanos() {
        return startNanos;
    }

    /** The socket for the VMM of that VM. */
    Path socket(String vm) {
        return folder.resolve(vm);
    }

    /** Opens a connection to the control socket. */
    QmpClient control() throws IOException {
        return QmpClient.connect(folder.resolve("control"));
    }

    long pid() {
        return process.pid();
    }

    ProcessUsage usage() throws IOException {
        return ProcessUsage.of(process.pid());
    }

    @Override
    public void close() throws IOException {
        process.destroy();
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
        delete(folder);
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }
}
