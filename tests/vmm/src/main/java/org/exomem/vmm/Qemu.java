package org.exomem.vmm;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** A running guest. Closing it ends QEMU and deletes its files. QEMU also ends with the process that started it. */
public final class Qemu implements AutoCloseable {

    /** From start to the guest's shell; about 2.5 s on an idle machine without KVM. */
    private static final Duration BOOT_LIMIT = Duration.ofMinutes(2);

    private final Path folder;
    private final Process process;
    private final QmpClient qmp;
    private final GuestShell guest;
    private final List<HostMemory> ram;

    private Qemu(Path folder, Process process, QmpClient qmp, GuestShell guest, @Nullable Path ramFile)
            throws IOException {
        this.folder = folder;
        this.process = process;
        this.qmp = qmp;
        this.guest = guest;
        this.ram = ramFile == null ? HostMemory.of(process.pid()) : List.of(HostMemory.of(ramFile));
    }

    /** Starts QEMU, and returns when the guest has booted; at once if it waits for an incoming migration. */
    public static Qemu start(QemuCommand command) throws IOException {
        Path folder = Files.createTempDirectory("exomem-vmm");
        Path qmpSocket = folder.resolve("qmp");
        Path shellSocket = folder.resolve("shell");
        Process process = null;
        // QEMU connects to this process, and not the reverse: so nothing that the guest sends early can get lost.
        try (ServerSocketChannel qmpListener = listen(qmpSocket);
                ServerSocketChannel shellListener = listen(shellSocket)) {
            List<String> words = command.words(qmpSocket, shellSocket, folder.resolve("console"));
            process = new ProcessBuilder(words)
                    .redirectErrorStream(true)
                    .redirectOutput(folder.resolve("output").toFile())
                    .start();
            // Wakes the thread that waits in accept() for a QEMU that could not start.
            process.onExit().thenRun(() -> {
                closeQuietly(qmpListener);
                closeQuietly(shellListener);
            });
            GuestShell guest = GuestShell.over(shellListener.accept());
            QmpClient qmp = QmpClient.over(qmpListener.accept());
            if (!command.isIncoming()) {
                guest.awaitBoot(BOOT_LIMIT);
            }
            return new Qemu(folder, process, qmp, guest, command.ramFile());
        } catch (IOException e) {
            IOException failure = new IOException("the guest did not start: " + e + output(folder), e);
            if (process != null) {
                process.destroyForcibly();
            }
            delete(folder);
            throw failure;
        }
    }

    public QmpClient qmp() {
        return qmp;
    }

    public GuestShell guest() {
        return guest;
    }

    /** Returns the memory file of the guest's RAM; with {@linkplain QemuCommand#nodes nodes}, that of node 0. */
    public HostMemory ram() {
        return ram.get(0);
    }

    /** Returns the memory file of a node's RAM. */
    public HostMemory ram(int node) {
        return ram.get(node);
    }

    public long pid() {
        return process.pid();
    }

    public boolean isAlive() {
        return process.isAlive();
    }

    /**
     * Returns whether QEMU ends by itself within some seconds: the system takes a moment to end a process that crashed.
     */
    public boolean hasEnded() throws IOException {
        try {
            return process.waitFor(10, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while QEMU may end", e);
        }
    }

    /** Kills QEMU, as in a crash: it closes nothing, and its peers get no message. */
    public void kill() throws IOException {
        process.destroyForcibly();
        awaitExit();
    }

    /** Returns QEMU's output and the guest's console, for the message of a failed test. */
    public String output() {
        return output(folder);
    }

    @Override
    public void close() throws IOException {
        process.destroyForcibly();
        guest.close();
        qmp.close();
        awaitExit();
        delete(folder);
    }

    private void awaitExit() throws IOException {
        try {
            if (!process.waitFor(60, TimeUnit.SECONDS)) {
                throw new IOException("QEMU, process " + process.pid() + ", did not end after SIGKILL");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while QEMU ends", e);
        }
    }

    private static ServerSocketChannel listen(Path socket) throws IOException {
        return ServerSocketChannel.open(StandardProtocolFamily.UNIX).bind(UnixDomainSocketAddress.of(socket));
    }

    private static void closeQuietly(ServerSocketChannel listener) {
        try {
            listener.close();
        } catch (IOException e) {
            // Nothing depends on it: the process that would have connected has gone.
        }
    }

    private static String output(Path folder) {
        StringBuilder text = new StringBuilder();
        for (String name : List.of("output", "console")) {
            try {
                String content = Files.readString(folder.resolve(name), StandardCharsets.UTF_8)
                        .strip();
                if (!content.isEmpty()) {
                    text.append(System.lineSeparator())
                            .append(name)
                            .append(": ")
                            .append(content);
                }
            } catch (IOException e) {
                text.append(System.lineSeparator()).append(name).append(": ").append(e);
            }
        }
        return text.toString();
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
