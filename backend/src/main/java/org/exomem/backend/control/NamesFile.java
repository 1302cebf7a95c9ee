package org.exomem.backend.control;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.exomem.backend.config.VmConfig;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A small file with the names for completion in shells, so that a completion needs no start of a JVM. It has a line {@code
 * VM DEVICE} for each device that is served. It is beside the control socket, or in the folder that the service manager made
 * for this process. If it can't be written, nothing else fails. Safe for use by several threads.
 */
public final class NamesFile implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NamesFile.class);
    private static final String SUFFIX = ".names";

    private final Path file;
    private final Executor writer;
    private final AtomicBoolean due = new AtomicBoolean();
    private boolean closed;

    private NamesFile(Path file, Executor writer) {
        this.file = file;
        this.writer = writer;
    }

    /**
     * Returns the file of a control socket. Nothing is written yet.
     *
     * @param writer runs the writes, which may be slow
     */
    public static NamesFile of(Path control, Executor writer) {
        String folder = System.getenv("RUNTIME_DIRECTORY");
        String name = control.getFileName() + SUFFIX;
        return new NamesFile(
                folder == null || folder.isEmpty()
                        ? control.resolveSibling(name)
                        : Path.of(folder.split(":", 2)[0], name),
                writer);
    }

    /**
     * Requests a write, and does not wait for it. Any thread may call this. Several requests before the write cause one
     * write.
     *
     * @param served called when the file is written
     */
    public void changed(Supplier<List<VmConfig>> served) {
        if (due.compareAndSet(false, true)) {
            writer.execute(() -> {
                due.set(false);
                write(served.get());
            });
        }
    }

    private synchronized void write(List<VmConfig> served) {
        if (closed) {
            return;
        }
        String lines = served.stream()
                .flatMap(vm -> vm.devices().stream().map(device -> vm.name() + " " + device.id() + "\n"))
                .sorted()
                .collect(Collectors.joining());
        Path unfinished = file.resolveSibling("." + file.getFileName());
        try {
            Files.deleteIfExists(unfinished);
            Files.createFile(
                    unfinished, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-r-----")));
            Files.writeString(unfinished, lines);
            Files.move(unfinished, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            LOG.debug("the names for completion can't be written: {}", e.toString());
        }
    }

    /** Removes the file. */
    @Override
    public synchronized void close() {
        closed = true;
        try {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            LOG.debug("the names for completion can't be removed: {}", e.toString());
        }
    }
}
