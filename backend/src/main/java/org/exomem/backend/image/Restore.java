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
 * Runs a saved VM again. Its VMM is started by this process, and continues without it (IMG-RESTORE-1 to 4). For one thread,
 * except {@link #breakOff}.
 */
public final class Restore {
    private final ImageFolder image;
    private final Options options;
    private final SparseCopy.Progress progress;
    private final Consumer<String> note;
    private final CancelToken cancel = new CancelToken();
    /** Counted down when the guest is released to run, or everything of it was removed. */
    private final CountDownLatch settled = new CountDownLatch(1);
    /** The RAM files that were made. */
    private final List<Path> made = new ArrayList<>();
    /** The image, if its files are used up. */
    private @Nullable TakenImage taken;

    /** Where the memory of a restored VM comes from. */
    public enum Memory {
        /** The memory is copied before the VM runs. */
        COPIED,
        /** The VM runs on the image's own RAM files, which are used up by that. */
        TAKEN,
        /** A page comes when the VM needs it. The other pages come in the background. */
        ON_DEMAND
    }

    /** Lets the memory of a VM come on demand. */
    public interface Paging {
        /**
         * Begins to serve the memory.
         *
         * @param vm its name
         * @param image the folder that the memory comes from
         * @param qmp the QMP socket of its VMM, which waits for its guest
         * @throws IOException if that is not possible
         */
        void begin(String vm, Path image, Path qmp) throws IOException;

        /** Why the memory does not come, for people; empty if it comes. */
        Optional<String> trouble(String vm);
    }

    /** Finds the devices that an exomem serves for a VM. */
    @FunctionalInterface
    public interface Devices {
        /**
         * Returns the sockets of a VM's devices, by device name; empty if no exomem serves the VM.
         *
         * @throws IOException if that can't be found out
         */
        Map<String, Path> of(String vm) throws IOException;
    }

    /**
     * The options of a restore.
     *
     * @param from where the memory comes from
     * @param program of the VMM, if it is not the one before
     * @param replacements of texts in the VMM's options
     */
    public record Options(Memory from, Optional<Path> program, Map<String, String> replacements) {
        public Options {
            replacements = Map.copyOf(replacements);
        }
    }

    /**
     * The result of a restore.
     *
     * @param running false for a VM that was paused when it was saved
     * @param time from the beginning until the guest ran
     */
    public record Result(String vm, boolean running, Duration time) {}

    /**
     * @param progress receives the progress of a copy of memory
     * @param note receives remarks for the operator; nothing stops because of them
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
     * @param sockets finds its devices, which it can do without: a failure there is only a note
     * @param paging for memory that comes on demand
     * @throws IOException if it failed or was broken off; everything of it was removed then, and the image is as before
     */
    public Result run(Devices sockets, Paging paging) throws IOException {
        try {
            return restore(sockets, paging);
        } finally {
            settled.countDown();
        }
    }

    /**
     * Ends {@link #run}, unless the guest was released to run. Returns when that was so, or everything of the VM was removed
     * (IMG-RESTORE-7). That takes a few seconds at most, except for a VMM that hangs. Any thread may call this during {@link
     * #run}.
     */
    public void breakOff() {
        if (cancel.cancel()) {
            note.accept("cancelled: the VMM is ended, and created files are removed");
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
        // A VMM takes over the sockets of its options, even if another process uses them.
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
                // Before the state is loaded, because loading touches the guest's memory (PGR-BEGIN-1).
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
            // It can't be broken off from here on: the guest runs, or the user who paused it may resume it.
            cancel.close();
            if (taken != null) {
                taken.useUp();
            }
            if (image.manifest().running()) {
                StartedGuest.start(vmm);
            }
        }
    }

    /** After the start, because the guest can do without its devices. */
    private void plugIn(MovedDevices moved, Path qmp, Devices sockets) {
        String vm = image.manifest().vm();
        try (QmpVmm vmm = QmpVmm.connect(qmp)) {
            moved.plugInto(vmm, sockets.of(vm), note);
        } catch (IOException e) {
            note.accept("VM \"" + vm + "\" " + (image.manifest().running() ? "runs" : "is paused")
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
                .orElseThrow(() -> new IOException("the VMM can't be started again, because it was not started with a"
                        + " QMP socket as an option"));
    }

    /** Refused if another process has the RAM files mapped, because it would see what the VM writes (IMG-RESTORE-5). */
    private TakenImage take() throws IOException {
        TakenImage mine = image.take();
        try {
            for (FileHolders.Holder holder : FileHolders.of(image.ramNames())) {
                throw new IOException("process " + holder.pid() + " (" + holder.program() + ") uses the RAM files in "
                        + image.folder()
                        + ": it is a clone, or a VM whose memory is loaded from there on demand. --take would use up"
                        + " the image");
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
        note.accept("the VMM was started and could not be ended: " + e.getMessage());
    }

    /** Adds the pager's trouble, because a VMM that waits for memory does not know the reason. */
    private static IOException explained(Exception because, Optional<String> trouble) {
        return new IOException(
                FileFault.text(because)
                        + trouble.map(why -> "; its memory can't be loaded: " + why)
                                .orElse(""),
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
            throw new CancellationException("it was cancelled");
        }
    }

    private VmmCommandLine onEmptyFiles(VmmCommandLine line) throws IOException {
        VmmCommandLine changed = line;
        for (Manifest.Ram ram : image.manifest().ram()) {
            Path file = absent(line, ram);
            Path folder = file.toAbsolutePath().getParent();
            if (folder != null && FileSystemKind.of(folder) == FileSystemKind.HUGETLBFS) {
                throw new IOException(
                        file + " would consist of huge pages, which can't be loaded on demand: restore without"
                                + " --on-demand, or name another file with --replace");
            }
            SharedFile.create(file, ram.name().size()).close();
            made.add(file);
            changed = changed.withEmptyMemory(ram.name().name(), file);
        }
        return changed;
    }

    /** The file that is to be made; it must not exist (IMG-RESTORE-2). */
    private static Path absent(VmmCommandLine line, Manifest.Ram ram) throws IOException {
        Path file = line.memoryFile(ram.name().name())
                .orElseThrow(() -> new IOException(
                        "the VMM's options have no memory \"" + ram.name().name() + "\""));
        if (Files.exists(file)) {
            throw new IOException(file + " exists already: does the VM still run? Remove it, or let the VM use another"
                    + " file with --replace");
        }
        return file;
    }

    /** Removes what was made, and returns the image. The guest has not run. */
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
