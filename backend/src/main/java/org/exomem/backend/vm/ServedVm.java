package org.exomem.backend.vm;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.exomem.backend.config.BalloonConfig;
import org.exomem.backend.config.DeviceConfig;
import org.exomem.backend.config.MemoryConfig;
import org.exomem.backend.config.VmConfig;
import org.exomem.backend.config.WritesChoice;
import org.exomem.backend.pages.PageSubscribers;
import org.exomem.backend.state.BalloonStateFile;
import org.exomem.backend.state.KeptState;
import org.exomem.backend.state.StateDirectory;
import org.exomem.balloon.BalloonStatistics;
import org.exomem.balloon.BitmapAnswer;
import org.exomem.balloon.BitmapRequest;
import org.exomem.balloon.FreePages;
import org.exomem.balloon.ToldPageKind;
import org.exomem.balloon.VirtioBalloon;
import org.exomem.linux.FileStatus;
import org.exomem.linux.LinuxException;
import org.exomem.mem.KeptBlocks;
import org.exomem.mem.ResizeJob;
import org.exomem.migration.image.AddressMap;
import org.exomem.migration.image.MemoryImage;
import org.exomem.pages.FreeReason;
import org.exomem.pages.PageDescriptors;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageSet;
import org.exomem.pages.PageSubscription;
import org.exomem.pages.PromisedMemory;
import org.exomem.pages.StateReplay;
import org.exomem.vhostuser.backend.EventLoop;
import org.exomem.vhostuser.backend.FaultKind;
import org.exomem.vhostuser.memory.DirtyLog;
import org.exomem.vhostuser.memory.LatePages;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A VM with a balloon, memory devices, or both, on an event loop of its own. */
public final class ServedVm implements VirtualMachine, AutoCloseable {
    /** The longest step of the loop that copies bitmaps of GiBs; at least one GiB is copied. */
    private static final Duration LOOK = Duration.ofNanos(300_000);

    private static final Logger LOG = LoggerFactory.getLogger(ServedVm.class);

    /** The most messages that wait for a migration, of each kind. A message takes 24 bytes. */
    private static final int MESSAGES = 1 << 16;

    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(1);

    private final String name;
    private final EventLoop loop;
    private final Optional<StateDirectory> state;
    private final Consumer<VmEvent> events;
    private final GuestStop stop;
    private final VmmProcesses vmm;
    /** Changed on the loop, and read by any thread. */
    private final List<VmMemory> memory = new CopyOnWriteArrayList<>();
    /** The state of each device that has one, by device id. Used on the loop only. */
    private final Map<String, KeptState> states = new HashMap<>();
    /** What each device tells new subscribers of the feed, by device id. Used on the loop only. */
    private final Map<String, List<Supplier<StateReplay>>> told = new HashMap<>();

    private final ActiveMemory active;
    private final long memoryLimit;
    private final AtomicBoolean closed = new AtomicBoolean();
    private final PageFeed feed;
    /** Memory that memory devices preallocate. The balloon does not free it when the guest reports it. */
    private final PromisedMemory promised = new PromisedMemory();

    private final PageSubscribers subscribers;
    /** The devices that are served now. */
    private volatile VmConfig config;

    private volatile @Nullable VmBalloon balloon;
    /** Present while the VM migrates. Used on the loop only. */
    private @Nullable OwnWrites ownWrites;

    private ServedVm(
            String name,
            Optional<StateDirectory> state,
            Consumer<VmEvent> events,
            GuestStop stop,
            VmmProcesses vmm,
            long memoryLimit) {
        this.name = name;
        this.state = state;
        this.events = event -> tell(events, event);
        this.stop = stop;
        this.vmm = vmm;
        this.memoryLimit = memoryLimit;
        this.config = new VmConfig(name, Optional.empty(), List.of());
        this.loop = new EventLoop("vm-" + name);
        // Scheduled, not executed at once: between two slices the loop checks its descriptors.
        this.feed = new PageFeed(slice -> loop.schedule(Duration.ZERO, slice));
        this.subscribers = new PageSubscribers(name);
        this.active = new ActiveMemory(name, loop, vmm, new Shown());
    }

    /**
     * Starts the VM's event loop and attaches its devices.
     *
     * @param state where the state of its devices is kept, if it is kept
     * @param events receives events on the VM's loop
     * @param stop stops guests
     * @param vmmProcesses attaches to VMMs, to guard unplugged memory or to estimate writes
     * @param memoryLimit the most bytes that a front-end may share
     * @throws IOException if a socket can't be listened on, or a device's state can't be used
     */
    public static ServedVm start(
            VmConfig config,
            Optional<StateDirectory> state,
            Consumer<VmEvent> events,
            GuestStop stop,
            VmmProcesses vmmProcesses,
            long memoryLimit)
            throws IOException {
        ServedVm vm = new ServedVm(config.name(), state, events, stop, vmmProcesses, memoryLimit);
        try {
            // On the loop, because a front-end may connect to the first device before the last one is attached.
            vm.add(config.devices());
            return vm;
        } catch (IOException | RuntimeException e) {
            vm.close();
            throw e;
        }
    }

    /**
     * Attaches one more device, while the others go on. Waits for the VM's loop: any thread may call this but the loop.
     *
     * @throws NotAnswering if the loop does not execute it within a second; nothing has changed then
     * @throws IOException if its socket can't be listened on, or its state can't be used
     * @throws IllegalArgumentException if the VM has a device of that id
     */
    public void add(DeviceConfig device) throws IOException {
        add(List.of(device));
    }

    private void add(List<DeviceConfig> devices) throws IOException {
        onLoop(() -> {
            for (DeviceConfig device : devices) {
                attach(device);
            }
            return this;
        });
    }

    /**
     * Executes a task on the loop if that begins within a second, and waits for its end.
     *
     * @throws NotAnswering if the loop is held up; the task is not executed then, nor later
     */
    private <T> T onLoop(Callable<T> task) throws IOException {
        AtomicBoolean decided = new AtomicBoolean();
        CompletableFuture<T> done = loop.submit(() -> {
            if (!decided.compareAndSet(false, true)) {
                throw new NotAnswering(name);
            }
            return task.call();
        });
        try {
            return done.get(ANSWER_LIMIT.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            if (decided.compareAndSet(false, true)) {
                throw new NotAnswering(name);
            }
            return joined(done);
        } catch (ExecutionException e) {
            return joined(done);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new NotAnswering(name);
        }
    }

    private static <T> T joined(CompletableFuture<T> done) throws IOException {
        try {
            return done.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof IOException cause) {
                throw cause;
            }
            if (e.getCause() instanceof RuntimeException cause) {
                throw cause;
            }
            throw e;
        }
    }

    private void attach(DeviceConfig device) throws IOException {
        VmConfig with = config.with(device);
        List<Supplier<StateReplay>> before = feed.states();
        try {
            switch (device) {
                case BalloonConfig of -> balloon = newBalloon(of);
                case MemoryConfig of -> {
                    memory.add(new VmMemory(of, kept(of), loop, events, stop, vmm, feed, memoryLimit));
                    if (of.preallocate()) {
                        promised.add(of.plan().address(), of.plan().size());
                    }
                }
            }
        } catch (IOException | RuntimeException e) {
            letGo(device.id(), before);
            throw e;
        }
        told.put(device.id(), newSince(before));
        config = with;
        active.configure(with);
        logOwnWrites();
    }

    private void tell(Consumer<VmEvent> all, VmEvent event) {
        all.accept(event);
        if (event instanceof VmEvent.Connected || event instanceof VmEvent.Disconnected) {
            active.presenceChanged();
        }
    }

    /** What the estimate of the guest's writes needs of this VM. On the loop. */
    private final class Shown implements ActiveMemory.Guest {
        @Override
        public boolean isConnected() {
            return ServedVm.this.isConnected();
        }

        @Override
        public List<MemoryRegion> sharedMemory() {
            return ServedVm.this.sharedMemory();
        }

        @Override
        public List<MemoryConfig> devices() {
            return config.memory();
        }
    }

    private VmBalloon newBalloon(BalloonConfig of) throws IOException {
        Optional<BalloonStateFile> file = Optional.empty();
        if (state.isPresent()) {
            file = Optional.of(keep(of, state.get().balloon(name, this::hostFault)));
        }
        return new VmBalloon(of, file, loop, events, this::unplugged, this::plugged, feed, promised, memoryLimit, vmm);
    }

    private KeptBlocks kept(MemoryConfig of) throws IOException {
        return state.isEmpty()
                ? KeptBlocks.ofHeap(of.plan())
                : keep(of, state.get().memory(name, of.id(), of.plan())).kept();
    }

    private List<Supplier<StateReplay>> newSince(List<Supplier<StateReplay>> before) {
        List<Supplier<StateReplay>> added = new ArrayList<>(feed.states());
        added.removeAll(before);
        return added;
    }

    private void letGo(String device, List<Supplier<StateReplay>> toldBefore) {
        feed.forget(newSince(toldBefore));
        KeptState kept = states.remove(device);
        if (kept != null) {
            kept.close();
        }
    }

    /** The devices that are served now. Any thread may call this. */
    public VmConfig config() {
        return config;
    }

    /**
     * Removes a device and its socket, while the others go on. Its state file stays. Waits at most a second for the VM's
     * loop to begin. Any thread may call this but the loop.
     *
     * @return false if a front-end is connected to the device, which then stays
     * @throws NotAnswering if the VM's loop is held up; the device stays
     */
    public boolean removeUnattached(String device) {
        try {
            return onLoop(() -> removeOnLoop(device));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private boolean removeOnLoop(String device) {
        VmBalloon ofBalloon = balloon;
        if (device.equals(VmBalloon.NAME) && ofBalloon != null) {
            if (ofBalloon.isConnected()) {
                return false;
            }
            ofBalloon.retire();
            balloon = null;
            // For subscribers of the VM's pages: no further message reports pages that leave the balloon.
            feed.offer(PageFeed.Kind.RESET, 0, 0, 0);
        }
        for (VmMemory of : memory) {
            if (of.id().equals(device)) {
                if (of.isConnected()) {
                    return false;
                }
                of.retire();
                memory.remove(of);
                promised.remove(of.address(), of.regionSize());
                // For the same subscribers: no further message reports these blocks.
                feed.offer(PageFeed.Kind.PLUGGED, 0, of.address(), of.regionSize());
            }
        }
        config = config.without(device);
        active.configure(config);
        feed.forget(told.getOrDefault(device, List.of()));
        told.remove(device);
        letGo(device, feed.states());
        return true;
    }

    private long plugged() {
        return memory.stream().mapToLong(VmMemory::plugged).sum();
    }

    private <S extends KeptState> S keep(DeviceConfig device, S file) {
        states.put(device.id(), file);
        return file;
    }

    private void hostFault(String what) {
        LOG.warn("{} {}: {}", name, VmBalloon.NAME, what);
        events.accept(new VmEvent.Fault(name, VmBalloon.NAME, FaultKind.HOST, what));
    }

    /** Returns how many bytes of the memory that the balloon's front-end shares are unplugged. */
    private long unplugged(VirtioBalloon of) {
        long bytes = 0;
        for (VmMemory device : memory) {
            bytes += Math.min(device.unplugged(), of.guestMemoryBytes(device.address(), device.regionSize()));
        }
        return bytes;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String attachment() {
        VmConfig now = config;
        return now.balloon()
                .map(of -> of.attachment().toString())
                .orElseGet(() -> now.memory().stream()
                        .map(of -> of.attachment().toString())
                        .collect(Collectors.joining(", ")));
    }

    /** True while a front-end is connected to one of the VM's devices. Any thread may call this. */
    boolean isConnected() {
        VmBalloon of = balloon;
        return of != null && of.isConnected() || memory.stream().anyMatch(VmMemory::isConnected);
    }

    @Override
    public Optional<Path> vmmQmp() {
        return config.vmmQmp();
    }

    @Override
    public WritesChoice vmmWrites() {
        return config.vmmWrites();
    }

    @Override
    public Map<String, Path> sockets() {
        Map<String, Path> sockets = new TreeMap<>();
        config.balloon().flatMap(of -> of.attachment().path()).ifPresent(path -> sockets.put(VmBalloon.NAME, path));
        config.memory().forEach(device -> device.attachment().path().ifPresent(path -> sockets.put(device.id(), path)));
        return sockets;
    }

    @Override
    public CompletableFuture<GuestView> show(MemoryImage image) {
        // Only one userfaultfd at a time can watch the VMM's memory (VMM-ACTIVE-4).
        return loop.submit(active::leave)
                .thenCompose(left -> left)
                .thenCompose(left -> loop.submit(() -> view(image)))
                .whenComplete((view, failure) -> {
                    if (failure != null) {
                        loop.execute(active::comeBack);
                    }
                });
    }

    private GuestView view(MemoryImage image) throws IOException {
        AddressMap addresses = addresses(image);
        OwnWrites writes = OwnWrites.of(addresses);
        endOwnWrites();
        ownWrites = writes;
        logOwnWrites();
        return new GuestView(
                addresses,
                writes.source(addresses, image.pages()),
                feed.subscribe(FreeReason.HINTED.kinds(), MESSAGES),
                feed.subscribe(FreeReason.BALLOON.kinds(), MESSAGES),
                feed.subscribe(FreeReason.UNPLUGGED.kinds(), MESSAGES),
                balloon == null ? OptionalLong.empty() : balloon.state().target(),
                () -> run(() -> {
                    endOwnWrites(writes);
                    active.comeBack();
                }));
    }

    private void logOwnWrites() {
        DirtyLog log = ownWrites == null ? null : ownWrites.log();
        VmBalloon ofBalloon = balloon;
        if (ofBalloon != null) {
            ofBalloon.logOwnWritesTo(log);
        }
        memory.forEach(of -> of.logOwnWritesTo(log));
    }

    private void endOwnWrites(OwnWrites writes) {
        if (ownWrites == writes) {
            ownWrites = null;
            logOwnWrites();
            writes.close();
        }
    }

    private void endOwnWrites() {
        if (ownWrites != null) {
            endOwnWrites(ownWrites);
        }
    }

    private AddressMap addresses(MemoryImage image) {
        List<MemoryRegion> shared = sharedMemory();
        // VHU-PST-1: reading a page that has not arrived would make it a page of zeros.
        if (shared.stream().anyMatch(region -> region.latePages() instanceof LatePages late && late.isArriving())) {
            throw new Refused(
                    "its memory is still arriving from another host, by post-copy of its VMM: wait until the VMM has"
                            + " finished that");
        }
        AddressMap addresses = AddressMap.of(shared, image);
        if (!shared.isEmpty() && addresses.ranges().isEmpty()) {
            throw new Refused(
                    "the memory files that its VMM names are not the files that the VMM shares (a file may have been"
                            + " created again under the same name): their content is not the guest's memory");
        }
        return addresses;
    }

    private List<MemoryRegion> sharedMemory() {
        List<MemoryRegion> regions = balloon == null ? List.of() : balloon.sharedMemory();
        return !regions.isEmpty()
                ? regions
                : memory.stream()
                        .map(VmMemory::sharedMemory)
                        .filter(shared -> !shared.isEmpty())
                        .findFirst()
                        .orElse(List.of());
    }

    @Override
    public CompletableFuture<VmState> state() {
        return loop.submit(this::stateNow);
    }

    private VmState stateNow() {
        return new VmState(
                name,
                attachment(),
                Optional.ofNullable(balloon).map(VmBalloon::state),
                memory.stream().map(VmMemory::state).toList(),
                active.state(),
                hostResident());
    }

    @Override
    public CompletableFuture<VmFigures> figures() {
        return loop.submit(() -> {
            Map<String, Integer> broken = new HashMap<>();
            VmBalloon ofBalloon = balloon;
            if (ofBalloon != null) {
                broken.put(VmBalloon.NAME, ofBalloon.brokenQueues());
            }
            memory.forEach(of -> broken.put(of.id(), of.brokenQueues()));
            return new VmFigures(stateNow(), Optional.ofNullable(ofBalloon).map(VmBalloon::figures), broken);
        });
    }

    /** A file may have several regions, and counts once. A file whose status can't be read is left out. */
    private OptionalLong hostResident() {
        List<FileStatus> files = new ArrayList<>();
        for (MemoryRegion region : sharedMemory()) {
            try {
                FileStatus status = region.file().status();
                if (files.stream().noneMatch(status::isSameFileAs)) {
                    files.add(status);
                }
            } catch (LinuxException e) {
                LOG.debug("{}: the host memory that it occupies is unknown: {}", name, e.getMessage());
            }
        }
        return files.isEmpty()
                ? OptionalLong.empty()
                : OptionalLong.of(
                        files.stream().mapToLong(FileStatus::allocatedBytes).sum());
    }

    @Override
    public void whenLoopIsFree(Runnable task) {
        loop.execute(task);
    }

    @Override
    public CompletableFuture<Void> resize(long bytes) {
        return run(() -> balloon().resize(bytes));
    }

    @Override
    public CompletableFuture<Void> squeeze(long bytes) {
        return run(() -> balloon().squeeze(bytes));
    }

    @Override
    public CompletableFuture<Void> endSqueeze() {
        return run(() -> balloon().endSqueeze());
    }

    @Override
    public CompletableFuture<BalloonStatistics> statistics() {
        return loop.submit(() -> balloon().statistics());
    }

    @Override
    public CompletableFuture<BalloonStatistics> nextStatistics() {
        return loop.submit(() -> balloon().nextStatistics()).thenCompose(next -> next);
    }

    @Override
    public CompletableFuture<Void> statisticsInterval(int seconds) {
        return run(() -> balloon().statisticsInterval(seconds));
    }

    @Override
    public CompletableFuture<Void> hint(HintAction action) {
        return run(() -> balloon().hint(action));
    }

    @Override
    public CompletableFuture<Void> askForFreePages(BitmapRequest request) {
        return run(() -> balloon().askForFreePages(request));
    }

    @Override
    public CompletableFuture<Void> cancelFreePages() {
        return run(() -> balloon().cancelFreePages());
    }

    @Override
    public CompletableFuture<BitmapAnswer> freePageBitmap() {
        return loop.submit(() -> balloon().freePageBitmap());
    }

    @Override
    public CompletableFuture<List<PageDescriptors>> pageDescriptors() {
        return loop.submit(() -> balloon().pageDescriptors());
    }

    @Override
    public CompletableFuture<FreePages> freePages() {
        return loop.submit(() -> balloon().freePages());
    }

    @Override
    public CompletableFuture<PageSubscription> followPages(int capacity) {
        return loop.submit(() -> feed.subscribe(EnumSet.allOf(PageFeed.Kind.class), capacity));
    }

    @Override
    public CompletableFuture<Void> sharePages(Path socket) {
        return subscribers
                .add(
                        socket,
                        () -> loop.submit(() -> {
                            long end = endOfGuestMemory();
                            return new PageSubscribers.Source(feed.subscribe(PageSubscribers.KINDS, MESSAGES), end);
                        }))
                .exceptionallyCompose(failure -> CompletableFuture.failedFuture(
                        failure instanceof IOException
                                ? new Refused("VM \"" + name + "\": " + failure.getMessage())
                                : failure));
    }

    @Override
    public CompletableFuture<MemoryParts> memoryParts() {
        return loop.submit(() -> {
            endOfGuestMemory();
            List<VmmProcesses.Part> parts = new ArrayList<>();
            try {
                for (MemoryRegion region : sharedMemory()) {
                    parts.add(
                            VmmProcesses.Part.of(region, region.guestAddress(), region.guestAddress() + region.size()));
                }
                parts.sort(Comparator.comparingLong(VmmProcesses.Part::guestAddress));
                return new MemoryParts(parts);
            } catch (LinuxException e) {
                parts.forEach(VmmProcesses.Part::close);
                throw e;
            }
        });
    }

    @Override
    public CompletableFuture<List<PageUse>> pageUse(List<Integer> gibs) {
        return loop.submit(() -> {
            long start = System.nanoTime();
            List<PageUse> seen = new ArrayList<>();
            for (int gib : gibs) {
                seen.add(pageUse(gib));
                if (System.nanoTime() - start >= LOOK.toNanos()) {
                    break;
                }
            }
            return List.copyOf(seen);
        });
    }

    private PageUse pageUse(int gib) {
        VmBalloon ofBalloon = balloon;
        Map<ToldPageKind, long[]> told = new EnumMap<>(ToldPageKind.class);
        if (ofBalloon != null) {
            for (ToldPageKind kind : ToldPageKind.values()) {
                told.put(kind, ofBalloon.told(kind, gib));
            }
        }
        if (memory.isEmpty()) {
            return new PageUse(gib, told, new long[0]);
        }
        long[] pages = new long[PageSet.CHUNK_WORDS];
        boolean any = false;
        for (VmMemory of : memory) {
            any |= of.unplugged(gib, pages);
        }
        return new PageUse(gib, told, any ? pages : new long[0]);
    }

    /** The end of all memory that the guest has, or may get from memory devices, as a guest address. */
    private long endOfGuestMemory() {
        List<MemoryRegion> shared = sharedMemory();
        if (shared.isEmpty()) {
            throw new NotActive(
                    "VM \"" + name + "\" shares no memory: no VMM is connected, or its driver has not" + " started");
        }
        return Math.max(
                shared.stream()
                        .mapToLong(region -> region.guestAddress() + region.size())
                        .max()
                        .orElse(0),
                memory.stream()
                        .mapToLong(device -> device.address() + device.regionSize())
                        .max()
                        .orElse(0));
    }

    @Override
    public CompletableFuture<ResizeJob.State> resizeMemory(Optional<String> device, long bytes) {
        return loop.submit(() -> memory(device).resize(bytes));
    }

    @Override
    public CompletableFuture<Boolean> cancelJob(String id) {
        return loop.submit(() -> {
            for (VmMemory device : memory) {
                if (device.cancel(id)) {
                    return true;
                }
            }
            return false;
        });
    }

    @Override
    public CompletableFuture<Void> resetMemory(Optional<String> device) {
        return loop.submit(() -> {
                    if (device.isPresent()) {
                        return memory(device).reset();
                    }
                    withMemory();
                    return CompletableFuture.allOf(
                            memory.stream().map(VmMemory::reset).toArray(CompletableFuture[]::new));
                })
                .thenCompose(reset -> reset);
    }

    private VmBalloon balloon() {
        if (balloon == null) {
            throw new NotActive("VM \"" + name + "\" has no balloon");
        }
        return balloon;
    }

    private void withMemory() {
        if (memory.isEmpty()) {
            throw new NotActive("VM \"" + name + "\" has no memory device");
        }
    }

    /** The device of that id, or the only one. */
    private VmMemory memory(Optional<String> id) {
        withMemory();
        Function<String, String> which = what -> "VM \"" + name + "\" " + what + "; there are "
                + String.join(", ", memory.stream().map(VmMemory::id).toList());
        if (id.isEmpty()) {
            if (memory.size() > 1) {
                throw new Refused(which.apply("has several memory devices, and the command names none"));
            }
            return memory.getFirst();
        }
        return memory.stream()
                .filter(device -> device.id().equals(id.get()))
                .findFirst()
                .orElseThrow(() -> new NotFound(which.apply("has no memory device \"" + id.get() + "\"")));
    }

    private CompletableFuture<Void> run(Runnable task) {
        Callable<Void> call = () -> {
            task.run();
            return null;
        };
        return loop.submit(call);
    }

    /** Disconnects the front-ends, removes the sockets, ends the loop and closes the state files. */
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        subscribers.close();
        if (balloon != null) {
            balloon.close();
        }
        memory.forEach(VmMemory::close);
        active.close();
        loop.close();
        // Last, when nothing uses them any more.
        states.values().forEach(KeptState::close);
    }
}
