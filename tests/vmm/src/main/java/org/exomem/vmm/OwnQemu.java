package org.exomem.vmm;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * A guest whose QEMU was started as operators do: it listens on its sockets, has a PID file, and outlives the program
 * that started it. Another QEMU may take its place. Closing it ends the QEMU whose id the file has by then.
 */
public final class OwnQemu implements AutoCloseable {
    private static final Duration BOOT_LIMIT = Duration.ofMinutes(2);

    private final Path shellSocket;
    private final Path pidFile;
    private final Path console;
    private GuestShell guest;

    private OwnQemu(Path shellSocket, Path pidFile, Path console, GuestShell guest) {
        this.shellSocket = shellSocket;
        this.pidFile = pidFile;
        this.console = console;
        this.guest = guest;
    }

    /**
     * Starts QEMU, and returns when the guest has booted.
     *
     * @param prefix of the names of its files
     */
    public static OwnQemu start(QemuCommand command, Path prefix) throws IOException {
        Path shell = Path.of(prefix + ".shell");
        Path pidFile = Path.of(prefix + ".pid");
        Path console = Path.of(prefix + ".console");
        run(command.listeningWords(prefix));
        OwnQemu qemu = new OwnQemu(shell, pidFile, console, connect(shell));
        try {
            qemu.guest.awaitBoot(BOOT_LIMIT);
            return qemu;
        } catch (IOException | RuntimeException e) {
            qemu.close();
            throw e;
        }
    }

    /** Returns a QEMU that another program started with the options of {@link #start}; its sockets have this prefix. */
    public static OwnQemu of(Path prefix) throws IOException {
        Path shell = Path.of(prefix + ".shell");
        return new OwnQemu(shell, Path.of(prefix + ".pid"), Path.of(prefix + ".console"), connect(shell));
    }

    private static void run(List<String> words) throws IOException {
        Process process = new ProcessBuilder(words).inheritIO().start();
        try {
            if (!process.waitFor(1, TimeUnit.MINUTES) || process.exitValue() != 0) {
                throw new IOException("QEMU did not start");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while QEMU starts", e);
        } finally {
            process.destroyForcibly();
        }
    }

    private static GuestShell connect(Path socket) throws IOException {
        SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX);
        channel.connect(UnixDomainSocketAddress.of(socket));
        return GuestShell.over(channel);
    }

    public GuestShell guest() {
        return guest;
    }

    /** Connects again, after another QEMU has taken this one's place. */
    public void reconnect() throws IOException {
        guest.close();
        guest = connect(shellSocket);
    }

    /** The process id in the file. */
    public long pid() throws IOException {
        return Long.parseLong(Files.readString(pidFile).strip());
    }

    /** The guest's console output. */
    public String console() throws IOException {
        return Files.readString(console);
    }

    @Override
    public void close() throws IOException {
        guest.close();
        if (!Files.exists(pidFile)) {
            return;
        }
        Optional<ProcessHandle> process = ProcessHandle.of(pid());
        process.ifPresent(ProcessHandle::destroyForcibly);
        if (process.isPresent()) {
            process.get().onExit().orTimeout(1, TimeUnit.MINUTES).join();
        }
    }
}
