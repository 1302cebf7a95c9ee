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
 * A VM that comes: a VMM waits for it, with RAM in files that exomem fills. Belongs to the threads of one migration, which
 * call one after the other.
 */
final class IncomingVm implements Destination, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(IncomingVm.class);
    /** What a VMM writes of its devices is some MiB, with the memory of a graphics card some hundred. */
    private static final long MOST_STATE = 1L << 30;

    private final String vm;
    private final QmpVmm vmm;
    private final MigrationRequest request;
    private final Optional<ReplacedFile> file;
    private final Map<String, Path> sockets;
    private final Watcher watcher;
    private final List<SharedFile> files = new ArrayList<>();
    /** Of the files, as the VMM has them. */
    private List<String> ids = List.of();

    private @Nullable MemoryDescription memory;
    private final ByteArrayOutputStream devices = new ByteArrayOutputStream();
    /** Made when there is something to put into it: a process that is killed before that leaves nothing behind. */
    private @Nullable Path folder;

    private @Nullable MovedDevices moved;
    private volatile @Nullable ArrivingMemory owed;
    private PagedMemory.@Nullable Prepared prepared;
    /** From when pages were promised until they are owed. */
    private @Nullable ArrivingMemory listening;

    private @Nullable IgnoreShared ignoreShared;
    /** True once the VMM may use memory. */
    private boolean loads;

    private @Nullable BegunMigration begun;
    private MigrationAddress address;

    /** Is told how it goes, on the threads of the migration. */
    interface Watcher {
        /** A source has come whose memory fits. */
        void begins();

        /** The connection was lost; the source may come back. */
        void lost(String why);

        void back();

        /** The guest runs here, and pages are owed to it; {@code pager} tells how far that is. */
        void owing(Supplier<PagerState> pager);

        /** The guest runs here with all of its memory. */
        void arrived(MovedDevices devices);

        /** Something that an operator should know and that stops nothing. */
        void note(String what);
    }

    /**
     * @param vm its name
     * @param vmm that waits; closed with this
     * @param sockets of the devices that exomem serves here for the VM, by their names
     * @param request what was asked for
     * @param file for what the next exomem has to know; without, no guest can begin here before its memory
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

    /** What the destination can use: a guest may begin before its memory is there where that can come on demand. */
    StreamOptions options() throws IOException {
        StreamOptions wanted = request.stream();
        if (file.isEmpty()) {
            return wanted;
        }
        List<String> ids = vmm.ram().stream().map(GuestRamFile::id).toList();
        try {
            PagedMemory.expectPossible(vmm, ids);
        } catch (IOException e) {
            LOG.info("{}: its guest can't begin here before all of its memory has come: {}", vm, e.getMessage());
            return wanted;
        }
        Set<StreamFeature> features = EnumSet.of(StreamFeature.POSTCOPY);
        features.addAll(wanted.offered());
        return wanted.withFeatures(features, wanted.required());
    }

    /** Where the source comes back to. */
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
            throw new IOException("the VMM at the destination has " + ram.size() + " memory files, the source's has "
                    + described.size());
        }
        try {
            for (MemoryDescription.MemoryFile wanted : described) {
                SharedFile file = open(ram, wanted);
                files.add(file);
                vmm.expectMapped(wanted.name(), file);
            }
            for (SharedFile file : files) {
                // STR-MEM-4: what a VMM put there while it started is not the guest's.
                file.punchHole(0, file.size());
            }
            ids = described.stream().map(MemoryDescription.MemoryFile::name).toList();
            this.memory = memory;
            PageTarget target = new FilePages(memory, files);
            watcher.begins();
            return target;
        } catch (IOException | RuntimeException e) {
            // This destination waits on, maybe for a source with another memory.
            closeFiles();
            throw e;
        }
    }

    /** Attaches to the VMM, and finds out whether what the next exomem has to know can be kept. */
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
                    + " bytes at the destination, and " + wanted.size() + " at the source");
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
            default -> throw new IOException("the source sends the state of \"" + name + "\", which is unknown here");
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
        // None of this is for the guest's pause.
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

    /** Nobody would serve whoever touches a missing page. */
    private void leave(PagedMemory memory) {
        try {
            memory.memory().leave();
        } catch (IOException e) {
            LOG.warn("{}: its VMM may wait for memory that does not come: {}", vm, e.getMessage());
        } finally {
            memory.close();
        }
    }

    /** The guest does not come, and nobody has touched its memory yet. */
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
            // Only now: the guest need not wait for that.
            removeFolder();
        }
        try {
            keep(true);
        } catch (IOException e) {
            // It runs. The next exomem would start it once more, if it was paused meanwhile.
            watcher.note(String.valueOf(e.getMessage()));
        }
    }

    /** What the next exomem has to know is there before the guest runs (STR-PST-9). */
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

    /** The guest can do without its devices for a while: what waits for the guest need not wait for them. */
    @Override
    public void started() {
        if (moved == null) {
            return;
        }
        moved.plugInto(vmm, sockets, watcher::note);
        watcher.arrived(moved);
        deleteFile();
    }

    /** Gives all memory back to the host: a VMM that waits can wait for another source. */
    @Override
    public void failed(IOException why) {
        leaveListening();
        endLeavingMemory();
        closePrepared();
        deleteFile();
        ArrivingMemory arriving = owed;
        if (arriving != null) {
            if (loads) {
                // Its guest ran here, and has ended; or its VMM has been given up.
                return;
            }
            arriving.abandon();
        }
        for (SharedFile file : files) {
            try {
                file.punchHole(0, file.size());
            } catch (IOException e) {
                watcher.note("memory could not be given back: " + e.getMessage());
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
        watcher.note(who + " was turned away: " + why.getMessage());
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
