package org.exomem.backend.image;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import org.exomem.backend.launch.VmmCommandLine;
import org.exomem.backend.launch.VmmLaunch;
import org.exomem.backend.migrate.MovedDevices;
import org.exomem.backend.migrate.StartedGuest;
import org.exomem.backend.qmp.VmmException;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.cli.text.FileFault;
import org.exomem.images.copy.SparseCopy;
import org.exomem.images.manifest.ImageFolder;
import org.exomem.images.manifest.Manifest;
import org.exomem.images.manifest.TakenImage;
import org.exomem.images.ram.FileSystemKind;
import org.exomem.linux.SharedFile;
import org.exomem.linux.process.FileHolders;
import org.exomem.migration.CancelToken;
import org.exomem.migration.HandoverUncertainException;
import org.jspecify.annotations.Nullable;

/**
 * A saved VM that is run again: its VMM is started by this process, and goes on without it (IMG-RESTORE-1 to 4). For one thread, but for
 * {@link #breakOff}.
 */
public final class Restore {
    private final ImageFolder image;
    private final Options options;
    private final SparseCopy.Progress progress;
    private final Consumer<String> note;
    private final CancelToken cancel = new CancelToken();
    /** The guest was let go, or nothing of it is left. */
    private final CountDownLatch settled = new CountDownLatch(1);
    /** The RAM files that were made. */
    private final List<Path> made = new ArrayList<>();
    /** The image, if it is used up. */
    private @Nullable TakenImage taken;

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

    /** Who serves the devices of VMs. */
    @FunctionalInterface
    public interface Devices {
        /**
         * The sockets of those that a VM has, by their names; none if nobody serves it.
         *
         * @throws IOException if that can't be found out
         */
        Map<String, Path> of(String vm) throws IOException;
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
     * @param sockets of its devices, which it can do without: a failure there is told as a note
     * @param paging for memory that comes on demand
     * @throws IOException if it could not be run, or that was broken off; nothing of it is left then, and the image is as it was
     */
    public Result run(Devices sockets, Paging paging) throws IOException {
        try {
            return restore(sockets, paging);
        } finally {
            settled.countDown();
        }
    }

    /**
     * Ends {@link #run} unless the guest has been let go, and returns when that is so or nothing of it is left (IMG-RESTORE-7): after some
     * seconds at the most, but for a VMM that hangs. For any thread, while another one runs it.
     */
    public void breakOff() {
        if (cancel.cancel()) {
            note.accept("broken off: the VMM is ended, and what was made is removed");
        }
        try {
            settled.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private Result restore(Devices sockets, Paging paging) throws IOException {
        long begin = System.nanoTime();
        Manifest manifest = image.manifest();
        MovedDevices moved = MovedDevices.ofImage(manifest);
        VmmCommandLine line = line();
        Path qmp = qmp(line);
        // A VMM takes the sockets of its options from whoever has them.
        FreePlaces.expect(line.places(), manifest.vm());
        boolean onDemand = options.from() == Memory.ON_DEMAND;
        if (options.from() == Memory.TAKEN) {
            taken = take();
        }
        try {
            start(line);
            beginOn(qmp, onDemand ? Optional.of(paging) : Optional.empty());
        } finally {
            if (taken != null) {
                taken.close();
            }
        }
        settled.countDown();
        Duration time = Duration.ofNanos(System.nanoTime() - begin);
        if (!onDemand && !moved.devices().isEmpty()) {
            plugIn(moved, qmp, sockets);
        }
        return new Result(manifest.vm(), manifest.running(), time);
    }

    private void start(VmmCommandLine line) throws IOException {
        try {
            VmmCommandLine changed = switch (options.from()) {
                case COPIED -> onCopies(line);
                case TAKEN -> onImage(line);
                case ON_DEMAND -> onEmptyFiles(line);
            };
            cancel.check();
            VmmLaunch.start(changed, Path.of("/"));
        } catch (IOException | RuntimeException e) {
            undo(e);
            throw e;
        }
    }

    private void beginOn(Path qmp, Optional<Paging> paging) throws IOException {
        String vm = image.manifest().vm();
        try {
            cancel.check();
            if (paging.isPresent()) {
                // Before the state is loaded: that touches the guest's memory (PGR-BEGIN-1).
                paging.get().begin(vm, image.folder(), qmp);
            }
            load(qmp);
        } catch (HandoverUncertainException e) {
            throw e;
        } catch (IOException | RuntimeException e) {
            IOException told = paging.isPresent() && e instanceof VmmException
                    ? explained(e, paging.get().trouble(vm))
                    : null;
            discard(qmp, e);
            if (told != null) {
                throw told;
            }
            throw e;
        }
    }

    private void load(Path qmp) throws IOException, HandoverUncertainException {
        try (QmpVmm vmm = QmpVmm.connect(qmp)) {
            vmm.expectIncoming();
            vmm.loadState(image.state(), cancel::isCancelled);
            // From here on it is not broken off: the guest runs, or whoever has paused it lets it run.
            cancel.close();
            if (taken != null) {
                taken.useUp();
            }
            if (image.manifest().running()) {
                StartedGuest.start(vmm);
            }
        }
    }

    /** The guest runs already, and can do without them. */
    private void plugIn(MovedDevices moved, Path qmp, Devices sockets) {
        String vm = image.manifest().vm();
        try (QmpVmm vmm = QmpVmm.connect(qmp)) {
            moved.plugInto(vmm, sockets.of(vm), note);
        } catch (IOException e) {
            note.accept("VM \"" + vm + "\" " + (image.manifest().running() ? "runs" : "is there, and paused")
                    + "; its devices could not be plugged in: " + e.getMessage());
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
    private TakenImage take() throws IOException {
        TakenImage mine = image.take();
        try {
            for (FileHolders.Holder holder : FileHolders.of(image.ramNames())) {
                throw new IOException("process " + holder.pid() + " (" + holder.program() + ") uses the RAM files in "
                        + image.folder()
                        + ", which therefore can't be used up: a clone, or a VM whose memory comes from"
                        + " there on demand");
            }
            return mine;
        } catch (IOException | RuntimeException e) {
            mine.giveBack();
            mine.close();
            throw e;
        }
    }

    private void discard(Path qmp, Exception because) {
        try {
            QmpVmm.discard(qmp);
        } catch (IOException e) {
            notEnded(because, e);
            return;
        }
        undo(because);
    }

    private void notEnded(Exception because, IOException e) {
        because.addSuppressed(e);
        note.accept("the VMM was started and could not be ended again: " + e.getMessage());
    }

    /** What a VMM says that waits for memory is not why it waits. */
    private static IOException explained(Exception because, Optional<String> trouble) {
        return new IOException(
                FileFault.text(because)
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

    private VmmCommandLine onCopies(VmmCommandLine line) throws IOException {
        for (Manifest.Ram ram : image.manifest().ram()) {
            Path file = absent(line, ram);
            try (SharedFile from = image.openRam(ram.name())) {
                SparseCopy.copy(from, file, null, this::progress);
            }
            made.add(file);
        }
        return line;
    }

    private void progress(long done, long all) {
        progress.at(done, all);
        if (cancel.isCancelled()) {
            throw new CancellationException("it was broken off");
        }
    }

    private VmmCommandLine onEmptyFiles(VmmCommandLine line) throws IOException {
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
    private void undo(Exception because) {
        try {
            for (Path file : made) {
                Files.deleteIfExists(file);
            }
            if (taken != null) {
                taken.giveBack();
            }
        } catch (IOException e) {
            because.addSuppressed(e);
        }
    }
}
