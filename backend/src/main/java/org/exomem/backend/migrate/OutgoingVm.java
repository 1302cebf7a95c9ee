package org.exomem.backend.migrate;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.vm.GuestView;
import org.exomem.backend.vm.HintAction;
import org.exomem.backend.vm.MemoryState;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vmm.DirtyLogFile;
import org.exomem.backend.vmm.GenericDevice;
import org.exomem.backend.vmm.GuestRamFile;
import org.exomem.backend.vmm.PluggedDevice;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.migration.MigrationCancelledException;
import org.exomem.migration.PeerFault;
import org.exomem.migration.image.ImageFile;
import org.exomem.migration.image.MemoryImage;
import org.exomem.migration.pagesource.DirtySource;
import org.exomem.migration.pagesource.FeedSource;
import org.exomem.migration.pagesource.HintSessions;
import org.exomem.migration.pagesource.HoleSource;
import org.exomem.migration.pagesource.SharedLog;
import org.exomem.migration.pagesource.Unlogged;
import org.exomem.migration.precopy.GuestControl;
import org.exomem.migration.precopy.MigrationSource;
import org.exomem.migration.precopy.Precopy;
import org.exomem.migration.precopy.Progress;
import org.exomem.migration.precopy.Report;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.source.MigrationSender;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.pages.FreeReason;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A VM that leaves. Memory first, while the guest runs; then its vhost-user devices are taken out, which a VMM can't
 * migrate; then the guest is paused, and what is left of its memory and the VMM's own state travel. Whatever fails before
 * the destination has taken over leaves the guest running here, with its devices.
 */
final class OutgoingVm implements GuestControl {
    private static final Logger LOG = LoggerFactory.getLogger(OutgoingVm.class);
    /** The longest that a paused guest waits for a connection that was lost; it would rather go on here. */
    private static final Duration PAUSED_LIMIT = Duration.ofSeconds(3);

    private final VirtualMachine vm;
    private final MigrationRequest request;
    private final QmpVmm vmm;
    private final MemoryImage image;
    private final Watcher watcher;
    /** By the names that exomem has for them. */
    private final Map<String, PluggedDevice> devices;

    private volatile @Nullable Precopy precopy;
    private volatile @Nullable MigrationSender sender;
    private volatile boolean cancelled;
    private boolean letsGo;
    private boolean paused;
    /** Whether the guest ran before it was paused; it does afterwards if it did, here or there. */
    private boolean ran;
    /** The driver was asked for hints, and keeps the pages that it has hinted. */
    private boolean asked;

    /** Is told how it goes, on the migration's thread. */
    interface Watcher extends OutgoingConnection.Watcher {
        void memory(long bytes);

        /** Again and again, as the balloon inflates. */
        void balloonFirst(BalloonFirst.Result soFar);

        void status(Status status);

        void progress(Progress progress);

        void downtime(Duration paused, Report report);
    }

    private OutgoingVm(VirtualMachine vm, MigrationRequest request, QmpVmm vmm, MemoryImage image, Watcher watcher)
            throws IOException {
        this.vm = vm;
        this.request = request;
        this.vmm = vmm;
        this.image = image;
        this.watcher = watcher;
        this.devices = devices();
    }

    /**
     * Migrates the VM; returns when its guest runs at the destination, and is stopped here for good.
     *
     * @param begun is given what can be cancelled
     * @throws IOException if it could not be; the guest then runs here, unless it is a {@link
     *     org.exomem.migration.HandoverUncertainException}
     */
    static void migrate(
            VirtualMachine vm, Path qmp, MigrationRequest request, Watcher watcher, Consumer<Runnable> begun)
            throws IOException {
        try (QmpVmm vmm = QmpVmm.connect(qmp);
                MemoryImage image = image(vmm.ram())) {
            OutgoingVm outgoing = new OutgoingVm(vm, request, vmm, image, watcher);
            begun.accept(outgoing::cancel);
            outgoing.run();
        }
    }

    private static MemoryImage image(List<GuestRamFile> ram) throws IOException {
        List<ImageFile> files = new ArrayList<>();
        try {
            for (GuestRamFile file : ram) {
                files.add(new ImageFile(file.id(), SharedFile.open(file.path())));
            }
            return new MemoryImage(files);
        } catch (IOException | RuntimeException e) {
            files.forEach(ImageFile::close);
            throw e;
        }
    }

    private Map<String, PluggedDevice> devices() throws IOException {
        Map<String, Path> sockets = vm.sockets();
        Map<String, PluggedDevice> found = new TreeMap<>();
        for (PluggedDevice plugged : vmm.devices()) {
            String name = sockets.entrySet().stream()
                    .filter(entry -> entry.getValue().equals(plugged.socket()))
                    .map(Map.Entry::getKey)
                    .findFirst()
                    .orElseThrow(() -> new IOException("the VMM's device \"" + plugged.id()
                            + "\" has a vhost-user back-end" + " on " + plugged.socket()
                            + " that this exomem does not serve for the VM: take it out first"));
            found.put(name, plugged);
        }
        return found;
    }

    /** From any thread; waits for nothing. What is to be said and done is up to the migration's own thread. */
    private void cancel() {
        synchronized (this) {
            if (letsGo) {
                // The destination may have started: hanging up now would leave nobody knowing who has the guest.
                return;
            }
            cancelled = true;
        }
        Precopy running = precopy;
        if (running != null) {
            running.cancel();
        }
        MigrationSender connected = sender;
        if (connected != null) {
            connected.cancel();
        }
    }

    private void run() throws IOException {
        refuseWhatCannotLeave();
        watcher.memory(image.pages() * image.pageSize());
        if (!request.balloonFirst()) {
            move();
            return;
        }
        try (BalloonFirst first = new BalloonFirst(vm)) {
            first.inflate(() -> cancelled, watcher::balloonFirst);
            if (cancelled) {
                throw new IOException("the migration was cancelled while the balloon was inflated");
            }
            move();
        }
    }

    private void move() throws IOException {
        try (GuestView view = view();
                MigrationSender connected = connect(view)) {
            sender = connected;
            watcher.status(Status.ACTIVE);
            try {
                migrate(connected, view);
            } catch (Throwable e) {
                // Errors too: whatever failed, the guest must not be left as it is.
                if (!letsGo || e instanceof PeerFault) {
                    // First the guest: a destination that has gone may take seconds to be told, and a device to leave.
                    goOn(e);
                    connected.abort(String.valueOf(e.getMessage() == null ? e : e.getMessage()));
                    putBack(e);
                }
                throw e;
            }
        }
    }

    private MigrationSender connect(GuestView view) throws IOException {
        expectMapped(view);
        return MigrationSender.connect(
                request.address(),
                request.security(),
                request.stream(),
                description(view),
                new BandwidthLimit(request.bandwidth()));
    }

    private void refuseWhatCannotLeave() throws IOException {
        refusePlugged();
        if (request.precopy().autoConverge() && !vmm.canThrottle()) {
            throw new IOException(
                    "the VMM of VM \"" + vm.name() + "\" has no way to slow its guest down, as QEMU has none"
                            + " for others: migrate it without auto-converge");
        }
        if (!devices.isEmpty() && !vmm.isRunning()) {
            throw new IOException("the guest of VM \"" + vm.name() + "\" is paused, and lets no device go before it"
                    + " leaves: let it run on, or take the device \""
                    + devices.values().iterator().next().id() + "\" out of the VMM first");
        }
    }

    /** A VMM that knows nothing of blocks starts without any, and the guest would lose what is in them. */
    private void refusePlugged() throws IOException {
        for (MemoryState device : vm.state().join().memory()) {
            if (device.plugged() > 0) {
                throw new IOException("VM \"" + vm.name() + "\" has " + ByteSize.format(device.plugged())
                        + " plugged in its memory device \"" + device.id()
                        + "\", which can't be taken out: give that back first (exomem mem " + vm.name() + " "
                        + device.id() + " 0 --wait)");
            }
        }
    }

    /** What the VM's own thread said. */
    static @Nullable String reason(CompletionException e) {
        Throwable cause = e.getCause();
        return cause == null ? e.getMessage() : cause.getMessage();
    }

    private GuestView view() throws IOException {
        try {
            return vm.show(image).join();
        } catch (CompletionException e) {
            throw new IOException("VM \"" + vm.name() + "\" can't be shown to its migration: " + reason(e), e);
        }
    }

    /** Where no device is shown the guest's memory, only the VMM's process tells whether these files are that. */
    private void expectMapped(GuestView view) throws IOException {
        if (!view.addresses().ranges().isEmpty()) {
            return;
        }
        for (ImageFile file : image.files()) {
            vmm.expectMapped(file.name(), file.file());
        }
    }

    private MemoryDescription description(GuestView view) {
        List<MemoryDescription.MemoryFile> files = new ArrayList<>();
        for (ImageFile file : image.files()) {
            files.add(new MemoryDescription.MemoryFile(
                    file.name(), file.size(), file.file().pageSize()));
        }
        return new MemoryDescription(image.pageSize(), files);
    }

    private void migrate(MigrationSender sender, GuestView view) throws IOException {
        OutgoingConnection connection = new OutgoingConnection(sender, watcher, this::patience);
        Report report;
        long pausing;
        try (LogMapping log = LogMapping.of(vmm.dirtyLog())) {
            MigrationSource source = new MigrationSource(
                    image,
                    List.of(log.source(view, image.pages())),
                    List.of(
                            new HoleSource(image),
                            new FeedSource(FreeReason.UNPLUGGED, view.blocks(), view.addresses(), image.pages()),
                            new FeedSource(FreeReason.BALLOON, view.balloon(), view.addresses(), image.pages()),
                            new FeedSource(FreeReason.HINTED, view.hints(), view.addresses(), image.pages())),
                    request.hints() && HintBenefit.isExpected(vm, image) ? hints() : HintSessions.NONE,
                    this);
            Precopy running = new Precopy(source, connection.destination(), request.precopy(), watcher::progress);
            precopy = running;
            if (cancelled) {
                running.cancel();
            }
            report = running.run();
            pausing = System.nanoTime() - report.downtime().toNanos();
        }
        sendState(connection, view);
        letGo();
        connection.handOver();
        watcher.downtime(Duration.ofNanos(System.nanoTime() - pausing), report);
    }

    private synchronized Duration patience() {
        Duration limit = request.stream().resumeWithin();
        return paused && !letsGo && limit.compareTo(PAUSED_LIMIT) > 0 ? PAUSED_LIMIT : limit;
    }

    private synchronized void letGo() throws MigrationCancelledException {
        if (cancelled) {
            throw new MigrationCancelledException();
        }
        letsGo = true;
    }

    private void sendState(OutgoingConnection connection, GuestView view) throws IOException {
        Path folder = StateFolder.make();
        try {
            Path state = folder.resolve(StateFolder.VMM);
            vmm.saveState(state, () -> cancelled);
            connection.finish(state, moved(view).toBytes());
        } finally {
            StateFolder.remove(folder);
        }
    }

    private MovedDevices moved(GuestView view) {
        Map<String, GenericDevice> moved = new TreeMap<>();
        devices.forEach((name, device) -> moved.put(name, device.device()));
        return new MovedDevices(moved, view.target(), ran);
    }

    private HintSessions hints() {
        return new HintSessions() {
            @Override
            public void begin() {
                hint(HintAction.START);
            }

            @Override
            public void end() {
                hint(HintAction.STOP);
            }
        };
    }

    /** Asks, and does not wait: a guest that does not hint, or can't, costs savings only. */
    private void hint(HintAction action) {
        asked = action != HintAction.DONE;
        vm.hint(action).exceptionally(failure -> {
            if (action == HintAction.START) {
                LOG.info("{}: no hints: {}", vm.name(), failure.getMessage());
            }
            return null;
        });
    }

    @Override
    public void prepare() throws IOException {
        refuseWhatCannotLeave();
        for (PluggedDevice device : devices.values()) {
            vmm.unplug(device, () -> cancelled);
        }
        // Until a device was out, its guest might still plug.
        refusePlugged();
    }

    @Override
    public void pause() throws IOException {
        ran = vmm.isRunning();
        paused = true;
        watcher.status(Status.DEVICE);
        vmm.pause();
    }

    @Override
    public void resume() throws IOException {
        vmm.goOn(ran);
        paused = false;
    }

    @Override
    public boolean throttle(int percent) throws IOException {
        if (!vmm.canThrottle()) {
            return false;
        }
        vmm.throttle(percent);
        return true;
    }

    /** After a failure: the guest runs on, and has the pages back that it set aside for hints. */
    private void goOn(Throwable because) {
        if (paused) {
            attempt(because, "go on", this::resume);
        }
        if (asked) {
            // Of no effect where the balloon was taken out: its driver has given everything back.
            hint(HintAction.DONE);
        }
    }

    private void putBack(Throwable because) {
        devices.forEach(
                (name, device) -> attempt(because, "have its device \"" + name + "\" back", () -> vmm.putBack(device)));
    }

    private interface Attempt {
        void run() throws IOException;
    }

    private void attempt(Throwable because, String what, Attempt attempt) {
        try {
            attempt.run();
        } catch (IOException | RuntimeException e) {
            LOG.error("{}: after a migration that failed the guest could not {}: {}", vm.name(), what, e.getMessage());
            because.addSuppressed(e);
        }
    }

    /** The VMM's log of writes, if it has one. */
    private record LogMapping(@Nullable Mapping mapping) implements AutoCloseable {
        static LogMapping of(Optional<DirtyLogFile> log) throws IOException {
            if (log.isEmpty()) {
                return new LogMapping(null);
            }
            try (SharedFile file = SharedFile.open(log.get().path())) {
                return new LogMapping(Mapping.of(file, 0, log.get().size() & -Long.BYTES));
            }
        }

        DirtySource source(GuestView view, long pages) {
            return mapping == null ? new Unlogged() : new SharedLog(mapping.segment(), view.addresses(), pages);
        }

        @Override
        public void close() {
            if (mapping != null) {
                mapping.close();
            }
        }
    }
}
