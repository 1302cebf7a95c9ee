package org.exomem.backend.migrate;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.detach.RememberedDevices;
import org.exomem.backend.vm.FeatureNames;
import org.exomem.backend.vm.HintAction;
import org.exomem.backend.vm.MemoryState;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmState;
import org.exomem.backend.vmm.GenericDevice;
import org.exomem.backend.vmm.IgnoreShared;
import org.exomem.backend.vmm.IgnoreSharedFile;
import org.exomem.backend.vmm.PluggedDevice;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.balloon.BitmapRequest;
import org.exomem.balloon.FreePages;
import org.exomem.balloon.HintingState;
import org.exomem.mem.MemoryRegionPlan;
import org.exomem.migration.CancelToken;
import org.exomem.migration.MigrationCancelledException;
import org.exomem.migration.pagesource.HintSessions;
import org.exomem.migration.precopy.GuestControl;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The guest of a VM that leaves, and the devices that are taken out of it. Belongs to the migration's thread.
 *
 * <pre>
 *         pause            letGo
 * Runs ─────────► Paused ─────────► HandedOver
 *   ▲               │                   │ the destination can't start it
 *   └── resume ─────┴───────────────────┘
 * </pre>
 */
public final class OutgoingGuest implements GuestControl, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(OutgoingGuest.class);

    /** Whose the guest is, and what it does here. */
    private sealed interface State {
        /** It is as it was before the migration. */
        record Runs() implements State {}

        /**
         * It was paused for the migration.
         *
         * @param ran whether it ran before; only then it is let run on, here or there (MIG-BESIDE-4)
         */
        record Paused(boolean ran) implements State {}

        /** It is the destination's, which may be running it. */
        record HandedOver(boolean ran) implements State {}
    }

    private final VirtualMachine vm;
    private final QmpVmm vmm;
    private final boolean autoConverge;
    private final CancelToken cancel;
    private final Consumer<Status> status;
    private final DescriptorsAtPause descriptors;
    /** By the names that exomem has for them. */
    private final Map<String, PluggedDevice> devices;

    private final RememberedDevices remembered;
    private final Map<String, MemoryRegionPlan> regions;

    private State state = new State.Runs();
    private @Nullable Path stateFile;
    /** True if the VMM saves its state, or has. */
    private boolean saving;
    /** From when the pause is near. */
    private @Nullable IgnoreShared ignoreShared;
    /** The last thing that the driver was asked about hints; until DONE it keeps the pages that it has hinted. */
    private HintAction asked = HintAction.DONE;

    /** @param status is told when the guest is about to be paused */
    public OutgoingGuest(
            VirtualMachine vm, QmpVmm vmm, boolean autoConverge, CancelToken cancel, Consumer<Status> status)
            throws IOException {
        this.vm = vm;
        this.vmm = vmm;
        this.autoConverge = autoConverge;
        this.cancel = cancel;
        this.status = status;
        vmm.noteIn(IgnoreSharedFile.of(vm.sockets().values(), IgnoreSharedFile.End.SOURCE));
        this.descriptors = new DescriptorsAtPause(vm, vmm);
        this.devices = devices();
        this.remembered = new RememberedDevices(vm, devices);
        this.regions = regions();
    }

    private Map<String, MemoryRegionPlan> regions() throws IOException {
        Map<String, MemoryRegionPlan> found = new TreeMap<>();
        for (MemoryState device : memory()) {
            if (devices.containsKey(device.id())) {
                found.put(device.id(), device.plan());
            }
        }
        return found;
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

    /**
     * Checks that nothing would keep the guest here.
     *
     * @throws IOException saying what does, and what to do
     */
    public void refuseWhatCannotLeave() throws IOException {
        refusePlugged();
        if (autoConverge && !vmm.canThrottle()) {
            throw new IOException(
                    "the VMM of VM \"" + vm.name() + "\" has no way to slow its guest down, as QEMU has none"
                            + " for others: migrate it without auto-converge");
        }
        if (!devices.isEmpty() && !vmm.isRunning()) {
            throw new IOException("the guest of VM \"" + vm.name() + "\" is paused, and devices can't be unplugged"
                    + " from a paused guest: let it run on, or take the device \""
                    + devices.values().iterator().next().id() + "\" out of the VMM first");
        }
        // VMM-14
        vmm.refuseWhatStays(devices.values());
    }

    /** A VMM that knows nothing of blocks starts without any, and the guest would lose what is in them (MIG-BESIDE-3). */
    private void refusePlugged() throws IOException {
        for (MemoryState device : memory()) {
            if (device.plugged() > 0) {
                throw new IOException("VM \"" + vm.name() + "\" has " + ByteSize.format(device.plugged())
                        + " plugged in its memory device \"" + device.id()
                        + "\", which can't be taken out: give that back first (exomem mem " + vm.name() + " "
                        + device.id() + " 0 --wait)");
            }
        }
    }

    private Iterable<MemoryState> memory() throws IOException {
        try {
            return vm.state().join().memory();
        } catch (CompletionException e) {
            throw new IOException(reason(e), e);
        }
    }

    /** What the VM's own thread said. */
    static String reason(CompletionException e) {
        Throwable cause = e.getCause() == null ? e : e.getCause();
        return String.valueOf(cause.getMessage());
    }

    /** Where the driver can be asked for hints (MIG-HINT-1). */
    HintSessions hints() {
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

    /** True if the guest's driver answers with bitmaps. */
    boolean givesBitmaps() throws IOException {
        try {
            return vm.state()
                    .join()
                    .balloon()
                    .map(balloon -> balloon.features().contains(FeatureNames.BITMAP))
                    .orElse(false);
        } catch (CompletionException e) {
            throw new IOException(reason(e), e);
        }
    }

    /** Where the driver can be asked for bitmaps (FPB-BIT-4). */
    HintSessions bitmaps() {
        return new HintSessions() {
            @Override
            public void begin() {
                vm.askForFreePages(BitmapRequest.ALL).exceptionally(failure -> {
                    LOG.info("{}: no free page bitmap: {}", vm.name(), failure.getMessage());
                    return null;
                });
            }

            @Override
            public void end() {
                // Of no effect where the balloon was taken out.
                vm.cancelFreePages().exceptionally(failure -> null);
            }
        };
    }

    /** The same, for as long as hints don't count yet. */
    ClearedFirst.Driver driver() {
        return new ClearedFirst.Driver() {
            @Override
            public void start() {
                hint(HintAction.START);
            }

            @Override
            public void finish() {
                hint(HintAction.DONE);
            }

            @Override
            public ClearedFirst.Hints hints() {
                try {
                    FreePages pages = vm.freePages().join();
                    return new ClearedFirst.Hints(
                            pages.hintedBytes(),
                            pages.state() != HintingState.REQUESTED && pages.state() != HintingState.RUNNING);
                } catch (CompletionException e) {
                    return new ClearedFirst.Hints(0, true);
                }
            }
        };
    }

    /** What the driver has told of its page descriptors (FPB-DESC-1). */
    public DescriptorsAtPause descriptors() {
        return descriptors;
    }

    /** Asks, and does not wait: a guest that does not hint, or can't, costs savings only. */
    private void hint(HintAction action) {
        asked = action;
        vm.hint(action).exceptionally(failure -> {
            if (action == HintAction.START) {
                LOG.info("{}: no hints: {}", vm.name(), failure.getMessage());
            }
            return null;
        });
    }

    /** Takes the devices out (MIG-BESIDE-1). */
    @Override
    public void prepare() throws IOException {
        refuseWhatCannotLeave();
        descriptors.keep();
        if (ignoreShared == null) {
            ignoreShared = vmm.ignoreShared();
        }
        remembered.remember(size());
        for (PluggedDevice device : devices.values()) {
            vmm.unplug(device, cancel::isCancelled);
        }
        vmm.refuseWhatStays(List.of());
        // Until a device was out, its guest might still plug.
        refusePlugged();
    }

    private OptionalLong size() throws IOException {
        try {
            return vm.state().join().balloon().map(VmState.Balloon::target).orElse(OptionalLong.empty());
        } catch (CompletionException e) {
            throw new IOException(reason(e), e);
        }
    }

    @Override
    public void pause() throws IOException {
        state = new State.Paused(vmm.isRunning());
        status.accept(Status.DEVICE);
        vmm.pause();
    }

    /**
     * Where {@link #saveState} has the VMM's own state saved. It begins with that as soon as the guest stays paused, next to whatever else is
     * done meanwhile.
     */
    public void savesInto(Path file) {
        stateFile = file;
    }

    @Override
    public void paused() throws IOException {
        vmm.beginSave(requireNonNull(stateFile, "where the state goes"));
        saving = true;
    }

    /** Returns when the VMM's own state is in the file of {@link #savesInto}. */
    public void saveState() throws IOException {
        if (!saving) {
            paused();
        }
        vmm.awaitSaved(cancel::isCancelled);
    }

    @Override
    public void resume() throws IOException {
        saving = false;
        vmm.goOn(ran());
        state = new State.Runs();
        status.accept(Status.ACTIVE);
    }

    @Override
    public boolean throttle(int percent) throws IOException {
        if (!vmm.canThrottle()) {
            return false;
        }
        vmm.throttle(percent);
        return true;
    }

    private boolean ran() {
        return switch (state) {
            case State.Runs() -> true;
            case State.Paused(boolean ran) -> ran;
            case State.HandedOver(boolean ran) -> ran;
        };
    }

    /** True while it is paused, and still this host's. */
    public boolean isPaused() {
        return state instanceof State.Paused;
    }

    /** True if the destination may be running it. */
    public boolean isHandedOver() {
        return state instanceof State.HandedOver;
    }

    /**
     * From now on the guest is the destination's.
     *
     * @throws MigrationCancelledException if the migration was cancelled before
     */
    public void letGo() throws MigrationCancelledException {
        cancel.close();
        state = new State.HandedOver(ran());
    }

    /**
     * What the destination has to know of the devices that were taken out.
     *
     * @param target the logical size in bytes that is wanted of the VM, if another than the whole is
     */
    public MovedDevices moved(OptionalLong target) {
        Map<String, GenericDevice> moved = new TreeMap<>();
        devices.forEach((name, device) -> moved.put(name, device.device()));
        return new MovedDevices(moved, regions, target, ran());
    }

    /**
     * The guest stays here after all was copied, and runs on: it gets its devices back.
     *
     * @param note is told of a device that it did not get back, and why
     */
    public void returnDevices(Consumer<String> note) {
        devices.forEach((name, device) -> {
            try {
                putBack(name, device);
            } catch (IOException e) {
                note.accept("the device \"" + name + "\" could not be plugged in again: " + e.getMessage());
            }
        });
    }

    /**
     * After a failure: the guest runs on, and has the pages back that it set aside for hints (MIG-HINT-6).
     *
     * @param because takes what fails of that
     */
    public void goOn(Throwable because) {
        if (!(state instanceof State.Runs)) {
            attempt(because, "go on", this::resume);
        }
        if (asked != HintAction.DONE) {
            // Of no effect where the balloon was taken out: its driver has given everything back.
            hint(HintAction.DONE);
        }
    }

    /**
     * After a failure: plugs in the devices that have left, or will (MIG-BESIDE-2).
     *
     * @param because takes what fails of that
     */
    public void putBack(Throwable because) {
        devices.forEach((name, device) ->
                attempt(because, "have its device \"" + name + "\" back", () -> putBack(name, device)));
    }

    private void putBack(String name, PluggedDevice device) throws IOException {
        vmm.putBack(device);
        remembered.forget(name);
    }

    /** The guest has left, and needs its devices here no more. */
    public void left() {
        remembered.forgetAll();
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

    /** What is done with it is over. */
    @Override
    public void close() {
        IgnoreShared left = ignoreShared;
        if (left != null) {
            ignoreShared = null;
            left.close();
        }
    }
}
