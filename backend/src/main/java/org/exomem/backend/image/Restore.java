package org.exomem.backend.image;

import java.io.IOException;
import java.nio.file.Files;
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
import org.exomem.backend.qmp.VmmException;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.images.copy.SparseCopy;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.Manifest;
import org.exomem.images.ram.FileSystemKind;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.FileHolders;
import org.exomem.linux.process.MappedFiles;
import org.exomem.migration.HandoverUncertainException;

/** A saved VM that is run again: its VMM is started by this process, and goes on without it (IMG-RESTORE-1 to 4). For one thread. */
public final class Restore {
    private final ImageFolder image;
    private final Options options;
    private final SparseCopy.Progress progress;
    private final Consumer<String> note;

    /** Where the memory of a VM comes from that is run again. */
    public enum Memory {
        /** It is copied before the VM runs. */
        COPIED,
        /** The VM runs on the image's own RAM files, which are used up by that. */
        TAKEN,
        /** It comes when the VM needs it, and the rest behind that. */
        ON_DEMAND
    }

    /** Has the memory of a VM come on demand. */
    public interface Paging {
        /**
         * @param vm its name
         * @param image the folder that it comes from
         * @param qmp the QMP socket of its VMM, which waits for its guest
         * @throws IOException if that can't be done
         */
        void begin(String vm, Path image, Path qmp) throws IOException;

        /** Why the memory does not come, for people; empty if it comes. */
        Optional<String> trouble(String vm);
    }

    /**
     * How it is to be run.
     *
     * @param from where its memory comes from
     * @param program of the VMM, if another than it was
     * @param replacements of texts in the VMM's options
     */
    public record Options(Memory from, Optional<Path> program, Map<String, String> replacements) {
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
     * @param paging for memory that comes on demand
     * @throws IOException if it could not be run; nothing of it is left then, and the image is as it was
     */
    public Result run(Function<String, Map<String, Path>> sockets, Paging paging) throws IOException {
        long begin = System.nanoTime();
        Manifest manifest = image.manifest();
        MovedDevices moved = MovedDevices.ofImage(manifest);
        VmmCommandLine line = line();
        Path qmp = qmp(line);
        // A VMM takes the sockets of its options from whoever has them.
        FreePlaces.expect(line.places(), manifest.vm());
        List<Path> made = new ArrayList<>();
        boolean onDemand = options.from() == Memory.ON_DEMAND;
        if (options.from() == Memory.TAKEN) {
            take();
        }
        try {
            line = switch (options.from()) {
                case COPIED -> onCopies(line, made);
                case TAKEN -> onImage(line);
                case ON_DEMAND -> onEmptyFiles(line, made);
            };
            VmmLaunch.start(line, Path.of("/"));
        } catch (IOException | RuntimeException e) {
            undo(made, e);
            throw e;
        }
        try {
            if (onDemand) {
                // Before the state is loaded: that touches the guest's memory (PGR-BEGIN-1).
                paging.begin(manifest.vm(), image.folder(), qmp);
            }
            load(qmp);
        } catch (HandoverUncertainException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            IOException told =
                    onDemand && e instanceof VmmException ? explained(e, paging.trouble(manifest.vm())) : null;
            discard(qmp, made, e);
            if (told != null) {
                throw told;
            }
            throw e;
        }
        Duration time = Duration.ofNanos(System.nanoTime() - begin);
        if (!onDemand && !moved.devices().isEmpty()) {
            try (QmpVmm vmm = QmpVmm.connect(qmp)) {
                moved.plugInto(vmm, sockets.apply(manifest.vm()), note);
            }
        }
        return new Result(manifest.vm(), manifest.running(), time);
    }

    private void load(Path qmp) throws IOException, HandoverUncertainException {
        try (QmpVmm vmm = QmpVmm.connect(qmp)) {
            vmm.expectIncoming();
            vmm.loadState(image.state());
            if (image.manifest().running()) {
                StartedGuest.start(vmm);
            }
        }
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

    /** Whoever has the RAM files mapped would see what the VM writes (IMG-RESTORE-5). */
    private void take() throws IOException {
        image.take();
        try {
            List<String> files = new ArrayList<>();
            for (Manifest.Ram ram : image.manifest().ram()) {
                try (SharedFile file = image.openRam(ram.name())) {
                    files.add(MappedFiles.nameOf(file));
                }
            }
            for (FileHolders.Holder holder : FileHolders.of(files)) {
                throw new IOException("process " + holder.pid() + " (" + holder.program() + ") uses the RAM files in "
                        + image.folder()
                        + ", which therefore can't be used up: a clone, or a VM whose memory comes from"
                        + " there on demand");
            }
        } catch (IOException | RuntimeException e) {
            image.giveBack();
            throw e;
        }
    }

    private void discard(Path qmp, List<Path> made, Exception because) {
        try {
            QmpVmm.discard(qmp);
        } catch (IOException e) {
            notEnded(because, e);
            return;
        }
        undo(made, because);
    }

    private void notEnded(Exception because, IOException e) {
        because.addSuppressed(e);
        note.accept("the VMM was started and could not be ended again: " + e.getMessage());
    }

    /** What a VMM says that waits for memory is not why it waits. */
    private static IOException explained(Exception because, Optional<String> trouble) {
        return new IOException(
                because.getMessage()
                        + trouble.map(why -> "; its memory can't come: " + why).orElse(""),
                because);
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
            Path file = absent(line, ram);
            try (SharedFile from = image.openRam(ram.name())) {
                SparseCopy.copy(from, file, null, progress);
            }
            made.add(file);
        }
        return line;
    }

    private VmmCommandLine onEmptyFiles(VmmCommandLine line, List<Path> made) throws IOException {
        VmmCommandLine changed = line;
        for (Manifest.Ram ram : image.manifest().ram()) {
            Path file = absent(line, ram);
            Path folder = file.toAbsolutePath().getParent();
            if (folder != null && FileSystemKind.of(folder) == FileSystemKind.HUGETLBFS) {
                throw new IOException(
                        file + " would be of huge pages, which can't come on demand: restore without --on-demand, or"
                                + " name another file by --replace");
            }
            SharedFile.create(file, ram.name().size()).close();
            made.add(file);
            changed = changed.withEmptyMemory(ram.name().name(), file);
        }
        return changed;
    }

    /** The file that is to be made (IMG-RESTORE-2). */
    private static Path absent(VmmCommandLine line, Manifest.Ram ram) throws IOException {
        Path file = line.memoryFile(ram.name().name())
                .orElseThrow(() -> new IOException(
                        "the VMM's options have no memory \"" + ram.name().name() + "\""));
        if (Files.exists(file)) {
            throw new IOException(file + " is there already: does the VM still run? Remove it, or have the VM use"
                    + " another file by --replace");
        }
        return file;
    }

    /** The guest has not run. */
    private void undo(List<Path> made, Exception because) {
        try {
            for (Path file : made) {
                Files.deleteIfExists(file);
            }
            if (options.from() == Memory.TAKEN) {
                image.giveBack();
            }
        } catch (IOException e) {
            because.addSuppressed(e);
        }
    }
}
