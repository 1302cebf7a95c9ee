package org.exomem.backend.image;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import org.exomem.backend.launch.VmmCommandLine;
import org.exomem.backend.launch.VmmLaunch;
import org.exomem.backend.migrate.MovedDevices;
import org.exomem.backend.migrate.StartedGuest;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.images.copy.SparseCopy;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.Manifest;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.linux.StaleSocket;
import org.exomem.migration.HandoverUncertainException;

/** A saved VM that is run again: its VMM is started by this process, and goes on without it (IMG-RESTORE-1 to 4). For one thread. */
public final class Restore {
    private final ImageFolder image;
    private final Options options;
    private final SparseCopy.Progress progress;
    private final Consumer<String> note;

    /**
     * How it is to be run.
     *
     * @param take whether on the image's own RAM files, which are used up by that
     * @param program of the VMM, if another than it was
     * @param replacements of texts in the VMM's options
     */
    public record Options(boolean take, Optional<Path> program, Map<String, String> replacements) {
        public Options {
            replacements = Map.copyOf(replacements);
        }
    }

    /**
     * What came of it.
     *
     * @param running false for a VM that was paused when it was saved
     * @param time from the beginning until the guest ran
     */
    public record Result(String vm, boolean running, Duration time) {}

    /**
     * @param progress is told how far a copy of memory is
     * @param note is told what an operator should know and stops nothing
     */
    public Restore(ImageFolder image, Options options, SparseCopy.Progress progress, Consumer<String> note) {
        this.image = image;
        this.options = options;
        this.progress = progress;
        this.note = note;
    }

    /**
     * Runs the VM.
     *
     * @param sockets gives those of the devices that exomem serves for a VM, by their names
     * @throws IOException if it could not be run; nothing of it is left then, and the image is as it was
     */
    public Result run(Function<String, Map<String, Path>> sockets) throws IOException {
        long begin = System.nanoTime();
        Manifest manifest = image.manifest();
        MovedDevices moved = moved();
        VmmCommandLine line = line();
        Path qmp = qmp(line);
        expectFree(line);
        List<Path> made = new ArrayList<>();
        if (options.take()) {
            image.take();
        }
        try {
            line = options.take() ? onImage(line) : onCopies(line, made);
            VmmLaunch.start(line, Path.of("/"));
        } catch (IOException | RuntimeException e) {
            undo(made, e);
            throw e;
        }
        try (QmpVmm vmm = QmpVmm.connect(qmp)) {
            try {
                vmm.expectIncoming();
                vmm.loadState(image.state());
                if (manifest.running()) {
                    StartedGuest.start(vmm);
                }
            } catch (HandoverUncertainException e) {
                throw e;
            } catch (IOException | RuntimeException e) {
                vmm.quit();
                undo(made, e);
                throw e;
            }
            Duration time = Duration.ofNanos(System.nanoTime() - begin);
            if (!moved.devices().isEmpty()) {
                moved.plugInto(vmm, sockets.apply(manifest.vm()), note);
            }
            return new Result(manifest.vm(), manifest.running(), time);
        }
    }

    private MovedDevices moved() throws IOException {
        return MovedDevices.of(image.manifest()
                .devices()
                .orElse("{\"version\":1,\"running\":" + image.manifest().running() + ",\"devices\":[]}")
                .getBytes(StandardCharsets.UTF_8));
    }

    private VmmCommandLine line() {
        VmmCommandLine line = VmmCommandLine.of(image.manifest().vmm().command());
        if (options.program().isPresent()) {
            line = line.withProgram(options.program().get().toAbsolutePath());
        }
        for (Map.Entry<String, String> replacement : options.replacements().entrySet()) {
            line = line.replacing(replacement.getKey(), replacement.getValue());
        }
        return line;
    }

    private static Path qmp(VmmCommandLine line) throws IOException {
        return line.qmp()
                .orElseThrow(() -> new IOException("the VMM was not started with a QMP socket as an option, so that it"
                        + " can't be started again"));
    }

    /** A VMM takes the sockets of its options from whoever has them. */
    private void expectFree(VmmCommandLine line) throws IOException {
        for (Path place : line.places()) {
            if (Files.exists(place, LinkOption.NOFOLLOW_LINKS) && !Files.isRegularFile(place)) {
                try {
                    StaleSocket.remove(place);
                } catch (LinuxException e) {
                    throw new IOException(
                            "somebody listens on " + place + ", where the VMM of VM \""
                                    + image.manifest().vm() + "\" would: does the VM still run? End that, or have this"
                                    + " VMM listen elsewhere by --replace",
                            e);
                }
            }
        }
    }

    private VmmCommandLine onImage(VmmCommandLine line) {
        VmmCommandLine changed = line;
        for (Manifest.Ram ram : image.manifest().ram()) {
            changed = changed.withSharedMemory(ram.name().name(), image.ram(ram.name()));
        }
        return changed;
    }

    private VmmCommandLine onCopies(VmmCommandLine line, List<Path> made) throws IOException {
        for (Manifest.Ram ram : image.manifest().ram()) {
            Path file = line.memoryFile(ram.name().name())
                    .orElseThrow(() -> new IOException(
                            "the VMM's options have no memory \"" + ram.name().name() + "\""));
            if (Files.exists(file)) {
                throw new IOException(file + " is there already: does the VM still run? Remove it, or have the VM use"
                        + " another file by --replace");
            }
            try (SharedFile from = image.openRam(ram.name())) {
                SparseCopy.copy(from, file, null, progress);
            }
            made.add(file);
        }
        return line;
    }

    /** The guest has not run. */
    private void undo(List<Path> made, Exception because) {
        try {
            for (Path file : made) {
                Files.deleteIfExists(file);
            }
            if (options.take()) {
                image.giveBack();
            }
        } catch (IOException e) {
            because.addSuppressed(e);
        }
    }
}
