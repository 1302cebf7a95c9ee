package org.exomem.backend.migrate;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.exomem.backend.state.ReplacedFile;
import org.exomem.backend.vmm.GuestRamFile;
import org.exomem.backend.vmm.IgnoreShared;
import org.exomem.backend.vmm.IgnoreSharedFile;
import org.exomem.backend.vmm.PagedMemory;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.migration.pager.PagerState;
import org.exomem.migration.stream.destination.BegunMigration;
import org.exomem.migration.stream.destination.Destination;
import org.exomem.migration.stream.destination.FilePages;
import org.exomem.migration.stream.destination.PageTarget;
import org.exomem.migration.stream.destination.PostCopyMemory;
import org.exomem.migration.stream.destination.ReceivedMigration;
import org.exomem.migration.stream.destination.WantedPage;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.pages.PageBits;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An incoming VM: a VMM waits for it, and exomem fills its RAM files. Used by the threads of one migration, never by two at
 * a time.
 */
final class IncomingVm implements Destination, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(IncomingVm.class);
    /** Bytes. The state of a VMM's devices is some MiB, or some hundred with the memory of a graphics card. */
    private static final long MOST_STATE = 1L << 30;

    private final String vm;
    private final QmpVmm vmm;
    private final MigrationRequest request;
    private final Optional<ReplacedFile> file;
    private final Map<String, Path> sockets;
    private final Watcher watcher;
    private final List<SharedFile> files = new ArrayList<>();
    /** The ids of the files' memory back-ends in the VMM. */
    private List<String> ids = List.of();

    private @Nullable MemoryDescription memory;
    private final ByteArrayOutputStream devices = new ByteArrayOutputStream();
    /** Made when there is something to put into it, so that a process that is killed before leaves nothing behind. */
    private @Nullable Path folder;

    private @Nullable MovedDevices moved;
    private volatile @Nullable ArrivingMemory owed;
    private PagedMemory.@Nullable Prepared prepared;
    /** From the time when pages are promised until they are owed. */
    private @Nullable ArrivingMemory listening;

    private @Nullable IgnoreShared ignoreShared;
    /** True once the VMM may use memory. */
    private boolean loads;

    private @Nullable BegunMigration begun;
    private MigrationAddress address;

    /** Notified of the progress, on the threads of the migration. */
    interface Watcher {
        /** A source has connected whose memory fits. */
        void begins();

        /** The connection was lost. The source may connect again. */
        void lost(String why);

        void back();

        /** The guest runs here, and pages are still owed to it. {@code pager} returns the progress. */
        void owing(Supplier<PagerState> pager);

        /** The guest runs here with all of its memory. */
        void arrived(MovedDevices devices);

        /** A remark for the operator. Nothing stops because of it. */
        void note(String what);
    }

    /**
     * @param vm its name
     * @param vmm the VMM that waits for the guest; closed with this, also if this fails
     * @param sockets of the devices that exomem serves here for the VM, by device name
     * @param request what the operator asked for
     * @param file keeps what the next exomem needs to go on; if empty, post-copy is not possible
     * @throws IOException if the VMM does not wait for a guest
     */
    IncomingVm(
            String vm,
            QmpVmm vmm,
            Map<String, Path> sockets,
            MigrationRequest request,
            Optional<ReplacedFile> file,
            Watcher watcher)
            throws IOException {
        this.vm = vm;
        this.request = request;
        this.file = file;
        this.address = request.address();
        this.vmm = vmm;
        this.sockets = Map.copyOf(sockets);
        this.watcher = watcher;
        vmm.noteIn(IgnoreSharedFile.of(sockets.values(), IgnoreSharedFile.End.DESTINATION));
        try {
            vmm.expectIncoming();
        } catch (IOException | RuntimeException e) {
            vmm.close();
            throw e;
        }
    }

    /**
     * The options of this destination. They offer post-copy if there is a file for the next exomem, and the VMM allows
     * missing pages.
     */
    StreamOptions options() throws IOException {
        StreamOptions wanted = request.stream();
        if (file.isEmpty()) {
            return wanted;
        }
        List<String> ids = vmm.ram().stream().map(GuestRamFile::id).toList();
        try {
            PagedMemory.expectPossible(vmm, ids);
        } catch (IOException e) {
            LOG.info("{}: its guest can't start here before all of its memory has arrived: {}", vm, e.getMessage());
            return wanted;
        }
        Set<StreamFeature> features = EnumSet.of(StreamFeature.POSTCOPY);
        features.addAll(wanted.offered());
        return wanted.withFeatures(features, wanted.required());
    }

    /** Sets the address where the source connects again. */
    void listensAt(MigrationAddress actual) {
        address = actual;
    }

    @Override
    public PageTarget open(MemoryDescription memory, String source) throws IOException {
        vmm.expectIncoming();
        List<GuestRamFile> ram = vmm.ram();
        List<MemoryDescription.MemoryFile> described = memory.files();
        // STR-MEM-3
        if (ram.size() != described.size()) {
            throw new IOException("the VMM at the destination has " + ram.size()
                    + " memory files, the VMM at the source has " + described.size());
        }
        try {
            for (MemoryDescription.MemoryFile wanted : described) {
                SharedFile file = open(ram, wanted);
                files.add(file);
                vmm.expectMapped(wanted.name(), file);
            }
            for (SharedFile file : files) {
                // STR-MEM-4: what a VMM wrote there while it started is no content of the guest.
                file.punchHole(0, file.size());
            }
            ids = described.stream().map(MemoryDescription.MemoryFile::name).toList();
            this.memory = memory;
            PageTarget target = new FilePages(memory, files);
            watcher.begins();
            return target;
        } catch (IOException | RuntimeException e) {
            // This destination goes on waiting, maybe for a source with other memory.
            closeFiles();
            throw e;
        }
    }

    /** Attaches to the VMM, and checks that there is room for what the next exomem needs. */
    @Override
    public void mayBeOwed() throws IOException {
        try {
            PagedMemory.Prepared attached = PagedMemory.prepare(vmm, ids);
            prepared = attached;
            MovedDevices none = new MovedDevices(Map.of(), Map.of(), OptionalLong.empty(), false);
            BegunMigration nothing = new BegunMigration(new UUID(0, 0), "", Objects.requireNonNull(memory), 0);
            file.orElseThrow()
                    .expectRoom(arrival(nothing, attached.pid(), attached.paths(), none, false)
                            .toBytes());
        } catch (IOException e) {
            closePrepared();
            closeFiles();
            throw e;
        }
    }

    private void closePrepared() {
        if (prepared != null) {
            prepared.close();
            prepared = null;
        }
    }

    private static SharedFile open(List<GuestRamFile> ram, MemoryDescription.MemoryFile wanted) throws IOException {
        GuestRamFile here = ram.stream()
                .filter(file -> file.id().equals(wanted.name()))
                .findFirst()
                .orElseThrow(() -> new IOException("the VMM at the destination has no memory \"" + wanted.name()
                        + "\", it has "
                        + ram.stream().map(file -> "\"" + file.id() + "\"").collect(Collectors.joining(", "))));
        if (here.size() != wanted.size()) {
            throw new IOException("the memory \"" + wanted.name() + "\" has " + here.size()
                    + " bytes at the destination, but " + wanted.size() + " at the source");
        }
        return SharedFile.open(here.path());
    }

    private void closeFiles() {
        files.forEach(SharedFile::close);
        files.clear();
    }

    @Override
    public OutputStream deviceState(String name) throws IOException {
        return switch (name) {
            case StateFolder.VMM ->
                new LimitedOutput(
                        Files.newOutputStream(
                                vmmState(),
                                StandardOpenOption.CREATE,
                                StandardOpenOption.WRITE,
                                StandardOpenOption.TRUNCATE_EXISTING),
                        MOST_STATE);
            case MovedDevices.STATE -> {
                devices.reset();
                yield new LimitedOutput(devices, MovedDevices.MOST_BYTES);
            }
            default -> throw new IOException("the source sent the state of \"" + name + "\", which is unknown here");
        };
    }

    private Path vmmState() throws IOException {
        if (folder == null) {
            folder = StateFolder.makeFor(vmm);
        }
        return folder.resolve(StateFolder.VMM);
    }

    @Override
    public void ready(ReceivedMigration received) throws IOException {
        moved = MovedDevices.of(devices.toByteArray());
        if (!Files.exists(vmmState())) {
            throw new IOException("the source sent no state of its VMM");
        }
        StateFolder.give(vmmState(), vmm);
        loads = true;
        vmm.loadState(vmmState());
    }

    @Override
    public void listening(PageBits promised) throws IOException {
        // Done here, so that it does not lengthen the guest's pause.
        folder = StateFolder.makeFor(vmm);
        ignoreShared = vmm.ignoreShared();
        vmm.expectIncoming();
        PagedMemory memory = Objects.requireNonNull(prepared).begin(Optional.of(promised));
        try {
            listening = new ArrivingMemory(vm, memory, promised);
        } catch (LinuxException e) {
            leave(memory);
            throw e;
        }
    }

    @Override
    public PostCopyMemory owing(BegunMigration migration, PageBits pages, WantedPage want) throws IOException {
        ArrivingMemory arriving = Objects.requireNonNull(listening);
        arriving.begin(pages, want);
        listening = null;
        begun = migration;
        owed = arriving;
        return arriving;
    }

    /** Releases the memory: no thread would serve a missing page any more. */
    private void leave(PagedMemory memory) {
        try {
            memory.memory().leave();
        } catch (IOException e) {
            LOG.warn("{}: its VMM may wait for memory that does not arrive: {}", vm, e.getMessage());
        } finally {
            memory.close();
        }
    }

    /** For a guest that does not arrive. Nothing has touched its memory yet. */
    private void leaveListening() {
        ArrivingMemory memory = listening;
        if (memory != null) {
            listening = null;
            memory.abandon();
            memory.close();
        }
    }

    @Override
    public void startedOwing() {
        endLeavingMemory();
        watcher.owing(Objects.requireNonNull(owed)::state);
    }

    private void endLeavingMemory() {
        IgnoreShared left = ignoreShared;
        if (left != null) {
            ignoreShared = null;
            left.close();
        }
    }

    private void removeFolder() {
        if (folder != null) {
            StateFolder.remove(folder);
            folder = null;
        }
    }

    @Override
    public void start() throws IOException {
        keep(false);
        if (moved != null && !moved.running()) {
            removeFolder();
            return;
        }
        try {
            StartedGuest.start(vmm);
        } finally {
            // After the start, so that the guest does not wait for it.
            removeFolder();
        }
        try {
            keep(true);
        } catch (IOException e) {
            // The guest runs. If it is paused meanwhile, the next exomem would start it once more.
            watcher.note(String.valueOf(e.getMessage()));
        }
    }

    /** Keeps what the next exomem needs, before the guest runs (STR-PST-9). */
    private void keep(boolean started) throws IOException {
        ArrivingMemory arriving = owed;
        if (arriving == null || begun == null || moved == null) {
            return;
        }
        file.orElseThrow()
                .write(arrival(begun, arriving.pid(), arriving.paths(), moved, started)
                        .toBytes());
    }

    private PostCopyArrival arrival(
            BegunMigration migration, int pid, List<Path> ram, MovedDevices devices, boolean started) {
        return new PostCopyArrival(
                vm,
                migration,
                address,
                request.keys(),
                request.stream().plainAllowed(),
                request.stream().resumeWithin(),
                pid,
                vmm.socket(),
                ram,
                devices,
                started);
    }

    /** Plugs in the devices after the guest has started, as it can do without them for a while. */
    @Override
    public void started() {
        if (moved == null) {
            return;
        }
        moved.plugInto(vmm, sockets, watcher::note);
        watcher.arrived(moved);
        deleteFile();
    }

    /** Gives all memory back to the host. The VMM can then wait for another source. */
    @Override
    public void failed(IOException why) {
        leaveListening();
        endLeavingMemory();
        closePrepared();
        deleteFile();
        ArrivingMemory arriving = owed;
        if (arriving != null) {
            if (loads) {
                // The guest ran here and has ended, or its VMM was given up.
                return;
            }
            arriving.abandon();
        }
        for (SharedFile file : files) {
            try {
                file.punchHole(0, file.size());
            } catch (IOException e) {
                watcher.note("memory could not be returned to the host: " + e.getMessage());
            }
        }
    }

    private void deleteFile() {
        if (owed != null) {
            try {
                file.orElseThrow().delete();
            } catch (IOException e) {
                watcher.note(e.getMessage() + " can't be removed");
            }
        }
    }

    @Override
    public void lost(IOException why) {
        watcher.lost(String.valueOf(why.getMessage()));
    }

    @Override
    public void cameBack() {
        watcher.back();
    }

    @Override
    public void turnedAway(String who, IOException why) {
        watcher.note(who + " was rejected: " + why.getMessage());
    }

    @Override
    public void close() {
        ArrivingMemory arriving = owed;
        if (arriving != null) {
            arriving.close();
        }
        leaveListening();
        closePrepared();
        closeFiles();
        endLeavingMemory();
        vmm.close();
        removeFolder();
    }
}
