package org.exomem.backend.migrate;

import static java.util.Objects.requireNonNull;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.concurrent.CompletionException;
import java.util.concurrent.locks.LockSupport;
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
 * The guest of an outgoing VM, and the devices that are removed from the VMM before it leaves. Used by the migration's
 * thread only.
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

    /** From the request to end a session until the request for the next one. */
    private static final long BETWEEN_SESSIONS_NANOS = 50_000_000;

    /** Which end has the guest, and whether the guest runs. */
    private sealed interface State {
        /** The guest is as it was before the migration. */
        record Runs() implements State {}

        /**
         * The guest was paused for the migration.
         *
         * @param ran whether it ran before; only then it runs again, here or at the destination (MIG-BESIDE-4)
         */
        record Paused(boolean ran) implements State {}

        /** The destination has the guest, and may be running it. */
        record HandedOver(boolean ran) implements State {}
    }

    private final VirtualMachine vm;
    private final QmpVmm vmm;
    private final boolean autoConverge;
    private final CancelToken cancel;
    private final Consumer<Status> status;
    private final DescriptorsAtPause descriptors;
    /** By exomem's names of the devices. */
    private final Map<String, PluggedDevice> devices;

    private final RememberedDevices remembered;
    private final Map<String, MemoryRegionPlan> regions;

    private State state = new State.Runs();
    private @Nullable Path stateFile;
    /** True while the VMM saves its state, and after that. */
    private boolean saving;
    /** Set when the pause is near. */
    private @Nullable IgnoreShared ignoreShared;
    /** The last request to the driver about hints. The driver keeps the pages that it has hinted until DONE. */
    private HintAction asked = HintAction.DONE;
    /** When the end of the last session was requested, by {@link System#nanoTime}; 0 before that. */
    private long askedDone;

    /**
     * @param status receives DEVICE when the guest is about to be paused, and ACTIVE when it runs again here
     * @throws IOException if the VMM does not answer, or has a vhost-user device that this exomem does not serve for the VM
     */
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
                            + " that this exomem does not serve for the VM: unplug it first"));
            found.put(name, plugged);
        }
        return found;
    }

    /**
     * Checks that nothing prevents the guest from leaving.
     *
     * @throws IOException if something does; the message says what, and what to do
     */
    public void refuseWhatCannotLeave() throws IOException {
        refusePlugged();
        if (autoConverge && !vmm.canThrottle()) {
            throw new IOException("the VMM of VM \"" + vm.name()
                    + "\" can't throttle its guest: QEMU throttles only in its own migrations. Migrate it"
                    + " without auto-converge");
        }
        if (!devices.isEmpty() && !vmm.isRunning()) {
            throw new IOException("the guest of VM \"" + vm.name()
                    + "\" is paused, and devices can't be unplugged from a paused guest: resume it, or unplug"
                    + " the device \""
                    + devices.values().iterator().next().id() + "\" from the VMM first");
        }
        // VMM-14
        vmm.refuseWhatStays(devices.values());
    }

    /**
     * Refuses plugged blocks: a VMM that knows nothing of blocks starts without any, and the guest would lose their contents
     * (MIG-BESIDE-3).
     */
    private void refusePlugged() throws IOException {
        for (MemoryState device : memory()) {
            if (device.plugged() > 0) {
                throw new IOException("VM \"" + vm.name() + "\" has " + ByteSize.format(device.plugged())
                        + " plugged in its memory device \"" + device.id()
                        + "\", which can't be unplugged with them: unplug that memory first (exomem mem " + vm.name()
                        + " "
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

    /** The message of the failure that the VM's own thread reported. */
    static String reason(CompletionException e) {
        Throwable cause = e.getCause() == null ? e : e.getCause();
        return String.valueOf(cause.getMessage());
    }

    /** Sessions of free page hinting with the guest's driver (MIG-HINT-1). */
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

    /** True if the guest's driver supports free page bitmaps. */
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

    /** Requests for free page bitmaps to the guest's driver (FPB-BIT-4). */
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
                // Has no effect if the balloon was removed.
                vm.cancelFreePages().exceptionally(failure -> null);
            }
        };
    }

    /** The driver for a session before writes are tracked: its hints do not count. */
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

    /** The page descriptors that the driver has reported (FPB-DESC-1). */
    public DescriptorsAtPause descriptors() {
        return descriptors;
    }

    /** Sends the request without waiting for it. A guest that does not hint only costs savings. */
    private void hint(HintAction action) {
        if (action == HintAction.START) {
            awaitEndOfLastSession();
        }
        asked = action;
        askedDone = action == HintAction.DONE ? System.nanoTime() : askedDone;
        vm.hint(action).exceptionally(failure -> {
            if (action == HintAction.START) {
                LOG.info("{}: no hints: {}", vm.name(), failure.getMessage());
            }
            return null;
        });
    }

    /** A driver may read only the newest command, and must see the end of a session before the next begins. */
    private void awaitEndOfLastSession() {
        if (askedDone == 0) {
            return;
        }
        long end = askedDone + BETWEEN_SESSIONS_NANOS;
        for (long left = end - System.nanoTime(); left > 0; left = end - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }

    /**
     * Removes the devices from the VMM (MIG-BESIDE-1).
     *
     * @throws IOException if something prevents the guest from leaving, or a device can't be removed
     */
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
        // Until its device was removed, a guest could still plug blocks.
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
     * Sets the file for {@link #saveState}. The VMM begins to save its own state as soon as the guest stays paused, in
     * parallel with other work.
     */
    public void savesInto(Path file) {
        stateFile = file;
    }

    @Override
    public void paused() throws IOException {
        vmm.beginSave(requireNonNull(stateFile, "the file for the state"));
        saving = true;
    }

    /**
     * Returns when the VMM's own state is in the file of {@link #savesInto}.
     *
     * @throws IOException if the VMM could not save it, or the migration was cancelled
     */
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

    /** True while the guest is paused, and this host still has it. */
    public boolean isPaused() {
        return state instanceof State.Paused;
    }

    /** True if the destination may be running the guest. */
    public boolean isHandedOver() {
        return state instanceof State.HandedOver;
    }

    /**
     * Marks the guest as the destination's. It can't be cancelled from now on.
     *
     * @throws MigrationCancelledException if the migration was cancelled before
     */
    public void letGo() throws MigrationCancelledException {
        cancel.close();
        state = new State.HandedOver(ran());
    }

    /**
     * Returns what the destination needs to know of the removed devices.
     *
     * @param target the requested logical size of the VM in bytes, if it is not the whole
     */
    public MovedDevices moved(OptionalLong target) {
        Map<String, GenericDevice> moved = new TreeMap<>();
        devices.forEach((name, device) -> moved.put(name, device.device()));
        return new MovedDevices(moved, regions, target, ran());
    }

    /**
     * Plugs the devices in again, for a guest that runs on here after a complete copy was made.
     *
     * @param note receives each device that could not be plugged in, and why
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
     * After a failure: resumes the guest, and lets its driver take back the pages that it set aside for hints (MIG-HINT-6).
     *
     * @param because receives failures as suppressed exceptions
     */
    public void goOn(Throwable because) {
        if (!(state instanceof State.Runs)) {
            attempt(because, "resume", this::resume);
        }
        if (asked != HintAction.DONE) {
            // Has no effect if the balloon was removed: then the driver has given all pages back.
            hint(HintAction.DONE);
        }
    }

    /**
     * After a failure: plugs in the devices that have left the VMM, or will (MIG-BESIDE-2).
     *
     * @param because receives failures as suppressed exceptions
     */
    public void putBack(Throwable because) {
        devices.forEach((name, device) ->
                attempt(because, "get its device \"" + name + "\" back", () -> putBack(name, device)));
    }

    private void putBack(String name, PluggedDevice device) throws IOException {
        vmm.putBack(device);
        remembered.forget(name);
    }

    /** Forgets the devices here, for a guest that has left. */
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
            LOG.error("{}: after a failed migration the guest could not {}: {}", vm.name(), what, e.getMessage());
            because.addSuppressed(e);
        }
    }

    /** Ends the task with the guest. */
    @Override
    public void close() {
        IgnoreShared left = ignoreShared;
        if (left != null) {
            ignoreShared = null;
            left.close();
        }
    }
}
