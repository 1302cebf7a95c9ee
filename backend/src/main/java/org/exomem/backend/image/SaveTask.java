package org.exomem.backend.image;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CancellationException;
import org.exomem.backend.launch.VmmCommandLine;
import org.exomem.backend.migrate.Departure;
import org.exomem.backend.migrate.Direction;
import org.exomem.backend.migrate.GuestWrites;
import org.exomem.backend.migrate.MovedDevices;
import org.exomem.backend.migrate.OutgoingGuest;
import org.exomem.backend.migrate.OutgoingMemory;
import org.exomem.backend.migrate.StateFolder;
import org.exomem.backend.migrate.Status;
import org.exomem.backend.migrate.VmTask;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.images.manifest.ImageWriter;
import org.exomem.images.manifest.Manifest;
import org.exomem.images.ram.RamBlock;
import org.exomem.images.ram.RamFileName;
import org.exomem.images.ram.RamFiles;
import org.exomem.images.signature.ImageSignature;
import org.exomem.images.signature.SigningKey;
import org.exomem.linux.SharedFile;
import org.exomem.migration.CancelToken;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.pagesource.HintSessions;
import org.exomem.migration.precopy.Destination;
import org.exomem.migration.precopy.Precopy;
import org.exomem.migration.precopy.PrecopyOptions;
import org.exomem.migration.precopy.Report;
import org.exomem.migration.stream.destination.FilePages;

/**
 * Saves a running VM into an image. Its memory is copied in rounds while the guest runs, as in a migration. The guest is
 * paused only for the last writes and for the state of its VMM's devices. If the VM runs on RAM files in the image's folder,
 * and ends with this, no memory is copied (IMG-SAVE-1 to 4).
 */
public final class SaveTask implements VmTask {
    /** Several threads can write to files, and two read and compare faster than one. */
    private static final int WRITERS = 2;

    /** A short limit: the guest is paused while its last writes are copied and its devices' state is saved. */
    private static final Duration DOWNTIME = Duration.ofMillis(20);

    /** A high value, because a page in an image takes space as long as the image exists. */
    private static final int HINT_WORTH = 50;

    private static final Duration HINT_PATIENCE = Duration.ofSeconds(2);

    private static final Set<PosixFilePermission> READ_ONLY = PosixFilePermissions.fromString("r--------");

    private final SaveRequest request;
    private final String exomem;

    /** @param exomem the version of exomem, for the manifest */
    public SaveTask(SaveRequest request, String exomem) {
        this.request = request;
        this.exomem = exomem;
    }

    @Override
    public Direction direction() {
        return Direction.SAVE;
    }

    @Override
    public String destination() {
        return request.folder().toString();
    }

    @Override
    public void run(VirtualMachine vm, Path qmp, Departure watcher, CancelToken cancel) throws IOException {
        try (QmpVmm vmm = QmpVmm.connect(qmp);
                MemoryImage memory = OutgoingMemory.image(vmm.ownRam())) {
            try (OutgoingGuest guest = new OutgoingGuest(vm, vmm, false, cancel, watcher::status)) {
                guest.refuseWhatCannotLeave();
                watcher.memory(memory.pages() * memory.pageSize());
                new Saving(vm, vmm, memory, guest, watcher, cancel).run();
            }
        }
    }

    /** One save. Used by the task's thread only. */
    private final class Saving {
        private final VirtualMachine vm;
        private final QmpVmm vmm;
        private final MemoryImage memory;
        private final OutgoingGuest guest;
        private final Departure watcher;
        private final CancelToken cancel;
        private final List<RamFileName> names;
        /** The RAM files of the template that the VM is a clone of. */
        private final Map<String, Path> templates;

        private final ImageWriter writer;
        /** The RAM files that were made for this, and are removed if it fails. */
        private final List<RamFileName> made = new ArrayList<>();

        Saving(
                VirtualMachine vm,
                QmpVmm vmm,
                MemoryImage memory,
                OutgoingGuest guest,
                Departure watcher,
                CancelToken cancel)
                throws IOException {
            this.vm = vm;
            this.vmm = vmm;
            this.memory = memory;
            this.guest = guest;
            this.watcher = watcher;
            this.cancel = cancel;
            this.names = RamFileName.of(memory.files().stream()
                    .map(file -> new RamBlock(file.name(), file.size()))
                    .toList());
            this.templates = vmm.templates();
            this.writer = ImageWriter.begin(request.folder());
        }

        void run() throws IOException {
            try {
                begin();
            } catch (Throwable e) {
                writer.abandon(made, e);
                throw e;
            }
        }

        private void begin() throws IOException {
            boolean inPlace = templates.isEmpty() && isInPlace();
            if (inPlace && !request.end()) {
                throw new IOException("VM \"" + vm.name() + "\" runs on the RAM files in " + request.folder()
                        + ", which can become an image only when the VM has ended: save it with --end, or to another"
                        + " folder");
            }
            Manifest.Vmm program = program();
            // First, so that an unusable key is found before the guest is copied.
            ImageWriter.Seal seal = seal();
            watcher.status(Status.ACTIVE);
            Path folder = StateFolder.makeFor(vmm);
            try {
                save(inPlace, folder.resolve(StateFolder.VMM), program, seal);
            } catch (Throwable e) {
                // Errors too, so that the guest is never left in between.
                guest.goOn(e);
                guest.putBack(e);
                throw e;
            } finally {
                StateFolder.remove(folder);
            }
        }

        /** True if the VM's RAM files are already those of the image. */
        private boolean isInPlace() throws IOException {
            for (int i = 0; i < names.size(); i++) {
                Path path = writer.ram(names.get(i));
                if (!Files.exists(path)) {
                    return false;
                }
                try (SharedFile there = SharedFile.openForReading(path)) {
                    if (!memory.files().get(i).file().isSameFileAs(there)) {
                        return false;
                    }
                }
            }
            return true;
        }

        private Manifest.Vmm program() throws IOException {
            if (vmm.pid() <= 0) {
                throw new IOException("the process of the VMM of VM \"" + vm.name()
                        + "\" can't be seen from here, so exomem does not know how to start it again");
            }
            return new Manifest.Vmm(
                    vmm.isQemu() ? "QEMU" : "",
                    vmm.version(),
                    VmmCommandLine.of(vmm.pid())
                            .forAnother(vm.sockets().values())
                            .words());
        }

        private void save(boolean inPlace, Path state, Manifest.Vmm program, ImageWriter.Seal seal) throws IOException {
            MovedDevices moved;
            guest.savesInto(state);
            try (OutgoingMemory leaving = OutgoingMemory.show(vm, vmm, memory, guest)) {
                moved = inPlace
                        ? saveState(pause(), leaving)
                        : templates.isEmpty() ? copy(leaving) : copyClone(leaving);
            }
            if (!request.end()) {
                guest.returnDevices(watcher::note);
            }
            Files.copy(state, writer.state());
            writer.finish(
                    new ImageWriter.Description(
                            exomem,
                            vm.name(),
                            Instant.now(),
                            moved.running(),
                            program,
                            names,
                            Optional.of(new String(moved.toBytes(), StandardCharsets.UTF_8))),
                    request.template().isPresent() ? ImageSignature.digests() : ImageWriter.Digests.NONE,
                    seal);
            if (request.end()) {
                end();
            }
        }

        /** Returns when the pause began, by {@link System#nanoTime}. */
        private long pause() throws IOException {
            guest.prepare();
            cancel.check();
            long pausing = System.nanoTime();
            guest.pause();
            return pausing;
        }

        private MovedDevices copyClone(OutgoingMemory leaving) throws IOException {
            List<SavedCloneRam> parts = new ArrayList<>();
            for (int i = 0; i < names.size(); i++) {
                RamFileName name = names.get(i);
                Path template = templates.get(name.name());
                if (template == null) {
                    throw new IOException("the clone has RAM \"" + name.name() + "\" that its template does not have");
                }
                SavedCloneRam part = new SavedCloneRam(
                        vmm.pid(), template, memory.files().get(i).file(), writer.ram(name));
                // Not earlier, because a file that was there before must not be removed.
                copyTemplate(part);
                made.add(name);
                parts.add(part);
            }
            long pausing = pause();
            for (SavedCloneRam part : parts) {
                part.addOwn();
            }
            return saveState(pausing, leaving);
        }

        private void copyTemplate(SavedCloneRam part) throws IOException {
            try {
                part.copyTemplate((done, all) -> {
                    if (cancel.isCancelled()) {
                        throw new CancellationException("it was cancelled");
                    }
                });
            } catch (CancellationException e) {
                cancel.check();
                throw e;
            }
        }

        private MovedDevices copy(OutgoingMemory leaving) throws IOException {
            RamFiles files = RamFiles.in(request.folder());
            files.create(names, RamFiles.Room.ON_DEMAND);
            made.addAll(names);
            List<SharedFile> open = new ArrayList<>();
            try {
                for (RamFileName name : names) {
                    open.add(files.open(name));
                }
                HintSessions hints = leaving.hints(request.hints(), () -> {}, cancel);
                // Open until the guest runs on, as ending the watch would lengthen the pause.
                try (FilePages target = new FilePages(OutgoingMemory.description(memory), open);
                        GuestWrites writes = leaving.writes(request.writes(), watcher::writes)) {
                    return copy(leaving, writes, hints, target);
                }
            } finally {
                open.forEach(SharedFile::close);
            }
        }

        private MovedDevices copy(OutgoingMemory leaving, GuestWrites writes, HintSessions hints, FilePages target)
                throws IOException {
            boolean settles = leaving.settles(request.hints(), writes);
            Report report = new Precopy(
                            leaving.source(writes, hints, settles),
                            new Destination(Collections.nCopies(WRITERS, target), () -> {}),
                            PrecopyOptions.DEFAULT
                                    .withDowntimeLimit(DOWNTIME)
                                    .withPatience(HINT_PATIENCE)
                                    .withHintWorth(HINT_WORTH),
                            watcher::progress,
                            cancel)
                    .watchedBy(pages -> watcher.pages(leaving.addresses(), pages))
                    .run();
            watcher.report(report);
            MovedDevices moved = saveState(System.nanoTime() - report.downtime().toNanos(), leaving);
            if (settles) {
                guest.descriptors().expectNoReset();
            }
            return moved;
        }

        /** @param pausing when the pause began, by {@link System#nanoTime} */
        private MovedDevices saveState(long pausing, OutgoingMemory leaving) throws IOException {
            guest.saveState();
            MovedDevices moved = guest.moved(leaving.target());
            if (!request.end()) {
                guest.resume();
            }
            watcher.downtime(Duration.ofNanos(System.nanoTime() - pausing));
            return moved;
        }

        /** Writes the signature, if there is a key, and makes the files of a template read-only. */
        private ImageWriter.Seal seal() throws IOException {
            if (request.template().isEmpty()) {
                return ImageWriter.Seal.NONE;
            }
            Optional<Path> key = request.template().get().key();
            ImageWriter.Seal signature =
                    key.isPresent() ? ImageSignature.by(SigningKey.read(key.get())) : ImageWriter.Seal.NONE;
            return (folder, manifest) -> {
                signature.seal(folder, manifest);
                for (RamFileName name : names) {
                    Files.setPosixFilePermissions(writer.ram(name), READ_ONLY);
                }
                Files.setPosixFilePermissions(writer.state(), READ_ONLY);
            };
        }

        /** The image is complete, so its guest must not run on here. */
        private void end() {
            try {
                vmm.quit();
                guest.left();
            } catch (IOException e) {
                watcher.note("the VMM did not end; end it yourself, and do not resume its guest: " + e.getMessage());
            }
        }
    }
}
