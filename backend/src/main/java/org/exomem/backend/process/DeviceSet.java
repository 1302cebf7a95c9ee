package org.exomem.backend.process;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.exomem.backend.config.Attachment;
import org.exomem.backend.config.BalloonConfig;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.DeviceConfig;
import org.exomem.backend.config.MemoryConfig;
import org.exomem.backend.config.ServeConfig;
import org.exomem.backend.config.VmConfig;
import org.exomem.backend.control.ProcessControl;
import org.exomem.backend.migrate.Migrations;
import org.exomem.backend.state.StateDirectory;
import org.exomem.backend.vm.GuestStop;
import org.exomem.backend.vm.ServedVm;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmEvent;
import org.exomem.backend.vm.VmTable;
import org.exomem.backend.vmm.AttachedProcesses;
import org.exomem.linux.process.ProcessFd;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The devices that are served, and those that are wanted. A change of the wanted devices is carried out at once where that
 * is possible. Changes that have to wait for a VMM to leave, or for a migration to end, are tried again by {@link #settle}:
 *
 * <pre>
 * wanted and served alike       stays as it is
 * wanted, not served            begins, when no device that is still served has its socket
 * served, not wanted            ends, when no VMM is attached and the VM does not migrate
 * wanted with other options     ends and begins anew, likewise
 * </pre>
 *
 * <p>Devices end before others begin, so that a device can take over the socket of another. If a VM does not answer in time,
 * its change is tried again a few seconds later.
 *
 * <p>Safe for use by several threads. Calls wait for VMs' event loops: do not call them there.
 */
final class DeviceSet {
    private static final Logger LOG = LoggerFactory.getLogger(DeviceSet.class);

    /** The time until a VM that did not answer is asked again. */
    private static final Duration RETRY = Duration.ofSeconds(3);

    private final Optional<StateDirectory> state;
    private final Migrations migrations;
    private final VmTable table;
    private final Consumer<VmEvent> events;
    private final GuestStop stop;
    private final AttachedProcesses vmmProcesses = new AttachedProcesses();
    private final ServeConfig process;
    /** Also read during changes. */
    private final NavigableMap<String, ServedVm> vms = new ConcurrentSkipListMap<>();

    private final Map<String, Wanted> wanted = new LinkedHashMap<>();
    /** The devices that have to wait, by {@link #key}. */
    private final Map<String, Waiting> waiting = new LinkedHashMap<>();

    private final AtomicBoolean settleIsDue = new AtomicBoolean();

    private volatile boolean closed;
    /** True if a VM did not answer and will be asked again. */
    private boolean retrying;

    /**
     * @param configured true for a device of the options or the configuration file, false for one that a command added
     * @param vmm if present, the device is wanted only while this VMM runs
     */
    private record Wanted(DeviceConfig device, boolean configured, Optional<ProcessFd> vmm) {
        static Wanted configured(DeviceConfig device) {
            return new Wanted(device, true, Optional.empty());
        }
    }

    /**
     * @param what what has not been done yet, for the log
     * @param reason what it waits for
     */
    private record Waiting(String what, String reason) {}

    /** @param process the settings of the whole process: its control socket and the limit of memory */
    DeviceSet(ServeConfig process, VmTable table, Migrations migrations, Consumer<VmEvent> events, GuestStop stop) {
        this.process = process;
        this.state = process.state().map(StateDirectory::new);
        this.table = table;
        this.migrations = migrations;
        this.events = events;
        this.stop = stop;
    }

    /**
     * Starts to serve the configured devices. After a failure, devices that were started remain to be closed.
     *
     * @throws IOException if one of the devices can't be served
     */
    synchronized void start() throws IOException {
        if (state.isPresent()) {
            state.get().warning().ifPresent(LOG::warn);
            state.get().removeUnfinished();
        }
        for (VmConfig vm : process.vms()) {
            for (DeviceConfig device : vm.devices()) {
                wanted.put(key(device), Wanted.configured(device));
            }
            begin(vm);
        }
    }

    /** The VMs, by name. Any thread may call this. Does not wait. */
    List<ServedVm> vms() {
        return List.copyOf(vms.values());
    }

    /**
     * The present configuration of a VM. Any thread may call this. Does not wait.
     *
     * @throws VirtualMachine.Refused if it is no longer served
     */
    VmConfig config(String name) {
        ServedVm vm = vms.get(name);
        if (vm == null) {
            throw new VirtualMachine.Refused("VM \"" + name + "\" is no longer served");
        }
        return vm.config();
    }

    /**
     * Serves the devices of another configuration, in addition to those that commands have added.
     *
     * @throws ConfigException if the devices are not consistent; nothing has changed then
     */
    synchronized void reload(ServeConfig config) throws ConfigException {
        Map<String, Wanted> next = new LinkedHashMap<>();
        for (DeviceConfig device : config.devices()) {
            refuseNewDescriptor(device);
            next.put(key(device), Wanted.configured(device));
        }
        wanted.forEach((key, device) -> {
            if (!device.configured()) {
                next.putIfAbsent(key, device);
            }
        });
        together(next).consistent();
        tellOfTheProcess(config);
        wanted.clear();
        wanted.putAll(next);
        waiting.clear();
        carryOut();
    }

    private void tellOfTheProcess(ServeConfig config) {
        if (!config.state().equals(process.state())) {
            LOG.warn("state: another state directory requires a restart");
        }
        if (!config.maxMemory().equals(process.maxMemory())) {
            LOG.warn("max-memory: another limit requires a restart");
        }
        if (!config.metrics().equals(process.metrics())) {
            LOG.warn("metrics: other addresses require a restart");
        }
        if (!config.ui().equals(process.ui())) {
            LOG.warn("ui: other addresses require a restart");
        }
        if (!config.control().equals(process.control())) {
            LOG.warn("control: another control socket requires a restart");
        }
    }

    /** Refuses inherited descriptors that this process was not started with: the number may belong to any file by now. */
    private void refuseNewDescriptor(DeviceConfig device) throws ConfigException {
        Optional<DeviceConfig> served = served(device.vm(), device.id());
        if (device.attachment() instanceof Attachment.Inherited
                && !served.map(DeviceConfig::attachment).equals(Optional.of(device.attachment()))) {
            throw new ConfigException(device.label() + ": fd is only for devices that exomem serves from its start");
        }
    }

    /** All wanted devices, with the settings of the process. */
    private ServeConfig together(Map<String, Wanted> devices) {
        List<BalloonConfig> balloons = new ArrayList<>();
        List<MemoryConfig> mems = new ArrayList<>();
        for (Wanted of : devices.values()) {
            switch (of.device()) {
                case BalloonConfig balloon -> balloons.add(balloon);
                case MemoryConfig mem -> mems.add(mem);
            }
        }
        return process.withDevices(balloons, mems);
    }

    /**
     * Serves more devices: all, or none.
     *
     * @param vmm the devices are served while this VMM runs, see {@link #removeThoseOf}; if empty, until they are removed
     * @throws ConfigException if one is there already, or they are not consistent
     * @throws IOException if one can't be served
     */
    synchronized void add(ServeConfig more, Optional<ProcessFd> vmm) throws ConfigException, IOException {
        Map<String, Wanted> next = new LinkedHashMap<>(wanted);
        if (more.devices().isEmpty()) {
            throw new ConfigException("nothing to add: name at least one balloon or mem");
        }
        List<DeviceConfig> toBegin = new ArrayList<>();
        for (DeviceConfig device : more.devices()) {
            if (next.putIfAbsent(key(device), new Wanted(device, false, vmm)) != null) {
                throw new ConfigException(device.label() + " is served already");
            }
            refuseNewDescriptor(device);
            Optional<DeviceConfig> leaving = served(device.vm(), device.id());
            if (leaving.isEmpty()) {
                toBegin.add(device);
            } else if (!device.differences(leaving.get()).isEmpty()) {
                throw new ConfigException(device.label()
                        + " is served with other options until its VMM disconnects: add it after that, or"
                        + " with its present options");
            }
        }
        together(next).consistent();
        List<DeviceConfig> begun = new ArrayList<>();
        try {
            for (DeviceConfig device : toBegin) {
                begin(device);
                begun.add(device);
            }
        } catch (IOException | RuntimeException e) {
            begun.forEach(this::remove);
            throw e;
        }
        wanted.putAll(next);
        // A device that was to be removed, and is still served, stays.
        more.devices().forEach(device -> waiting.remove(key(device)));
    }

    /**
     * Ends a VM, or one of its devices.
     *
     * @return the devices that have to wait, with the reasons
     * @throws VirtualMachine.NotFound if there is no such VM or device
     */
    synchronized List<ProcessControl.Kept> remove(String vm, Optional<String> id) {
        table.named(vm);
        List<DeviceConfig> served = Objects.requireNonNull(vms.get(vm)).config().devices();
        List<DeviceConfig> devices = served.stream()
                .filter(device -> id.isEmpty() || id.get().equals(device.id()))
                .toList();
        if (devices.isEmpty()) {
            throw new VirtualMachine.NotFound("VM \"" + vm + "\" has no device \"" + id.orElse("") + "\"; there are "
                    + String.join(", ", served.stream().map(DeviceConfig::id).toList()));
        }
        for (DeviceConfig device : devices) {
            wanted.remove(key(device));
        }
        carryOut();
        List<ProcessControl.Kept> kept = new ArrayList<>();
        for (DeviceConfig device : devices) {
            Waiting still = waiting.get(key(device));
            if (still != null) {
                kept.add(new ProcessControl.Kept(vm, device.id(), still.reason()));
            }
        }
        return kept;
    }

    /** Ends the devices that were added with a VMM which has ended. A device that was added again since stays. */
    synchronized void removeThoseOf(ProcessFd vmm) {
        if (wanted.values().removeIf(of -> of.vmm().equals(Optional.of(vmm)))) {
            carryOut();
        }
    }

    /** Notes that {@link #settle} is due. Returns false if a call is due already that has not begun. Does not wait. */
    boolean askToSettle() {
        return settleIsDue.compareAndSet(false, true);
    }

    /** Tries again the changes that had to wait for a VMM to leave or for a migration to end. */
    synchronized void settle() {
        settleIsDue.set(false);
        if (!waiting.isEmpty()) {
            carryOut();
        }
    }

    private void carryOut() {
        if (closed) {
            return;
        }
        Map<String, Waiting> before = Map.copyOf(waiting);
        waiting.clear();
        Map<String, DeviceConfig> replaced = new LinkedHashMap<>();
        for (ServedVm vm : vms()) {
            for (DeviceConfig device : vm.config().devices()) {
                Wanted of = wanted.get(key(device));
                if (of == null) {
                    remove(device);
                } else if (endIfChanged(device, of.device())) {
                    replaced.put(key(device), device);
                }
            }
        }
        for (Wanted of : List.copyOf(wanted.values())) {
            DeviceConfig device = of.device();
            if (served(device.vm(), device.id()).isEmpty()) {
                tryToBegin(of, Optional.ofNullable(replaced.get(key(device))));
            }
        }
        waiting.forEach((key, now) -> {
            if (!now.equals(before.get(key))) {
                LOG.warn("{}: {}: {}", key.replace("/", " "), now.what(), now.reason());
            }
        });
    }

    private void remove(DeviceConfig device) {
        end(device)
                .ifPresent(reason -> waiting.put(
                        key(device), new Waiting("will be removed later, and is served until then", reason)));
    }

    /** Ends a device whose options have changed, so that it can begin again. Returns false if it goes on. */
    private boolean endIfChanged(DeviceConfig served, DeviceConfig options) {
        List<String> changed = options.differences(served);
        if (changed.isEmpty()) {
            return false;
        }
        Optional<String> reason = end(served);
        reason.ifPresent(why -> waiting.put(
                key(served),
                new Waiting(
                        "changed options (" + String.join(", ", changed)
                                + ") take effect when its VMM disconnects and attaches again",
                        why)));
        return reason.isEmpty();
    }

    /** @param before the device as it was served, to be served again if the wanted one can't be */
    private void tryToBegin(Wanted of, Optional<DeviceConfig> before) {
        DeviceConfig device = of.device();
        Optional<DeviceConfig> holder = holderOf(device.attachment());
        if (holder.isPresent()) {
            beginsLater(device, holder.get().label() + " is still served on " + device.attachment());
            return;
        }
        try {
            begin(device);
        } catch (VirtualMachine.NotAnswering e) {
            beginsLater(device, String.valueOf(e.getMessage()));
            retryLater();
        } catch (IOException | RuntimeException e) {
            wanted.remove(key(device));
            if (before.isEmpty()) {
                LOG.error("{}: can't be served: {}", device.label(), e.getMessage());
                return;
            }
            LOG.error(
                    "{}: can't be served with its changed options, and keeps the previous ones: {}",
                    device.label(),
                    e.getMessage());
            Wanted old = new Wanted(before.get(), of.configured(), of.vmm());
            wanted.put(key(device), old);
            tryToBegin(old, Optional.empty());
        }
    }

    private void beginsLater(DeviceConfig device, String reason) {
        waiting.put(key(device), new Waiting("will be served later", reason));
    }

    /** Needed because a VM that hangs causes no event when it answers again. */
    private void retryLater() {
        if (!retrying) {
            retrying = true;
            CompletableFuture.delayedExecutor(RETRY.toMillis(), TimeUnit.MILLISECONDS)
                    .execute(() -> Thread.ofPlatform().daemon().name("change").start(this::retry));
        }
    }

    private synchronized void retry() {
        retrying = false;
        settle();
    }

    private Optional<DeviceConfig> holderOf(Attachment attachment) {
        return vms().stream()
                .flatMap(vm -> vm.config().devices().stream())
                .filter(device -> attachment.path().isPresent()
                        && device.attachment().path().equals(attachment.path()))
                .findFirst();
    }

    private Optional<DeviceConfig> served(String vm, String id) {
        return Optional.ofNullable(vms.get(vm)).stream()
                .flatMap(of -> of.config().devices().stream())
                .filter(device -> device.id().equals(id))
                .findFirst();
    }

    private void begin(DeviceConfig device) throws IOException {
        ServedVm vm = vms.get(device.vm());
        if (vm == null) {
            begin(new VmConfig(device.vm(), Optional.empty(), List.of()).with(device));
            return;
        }
        vm.add(device);
        told(device);
    }

    private void begin(VmConfig config) throws IOException {
        ServedVm vm = ServedVm.start(config, state, events, stop, vmmProcesses, process.memoryLimit());
        vms.put(config.name(), vm);
        table.add(vm);
        if (closed) {
            // The process is ending, and may have listed the VMs before this one was added.
            vm.close();
        }
        config.devices().forEach(this::told);
    }

    private void told(DeviceConfig device) {
        LOG.info("{}: {} on {}", device.vm(), kind(device), device.attachment());
        events.accept(
                new VmEvent.Added(device.vm(), device.id(), device.attachment().toString()));
    }

    /** Ends a device if no VMM and no migration needs it. Otherwise returns what has to happen first. */
    private Optional<String> end(DeviceConfig device) {
        ServedVm vm = Objects.requireNonNull(vms.get(device.vm()));
        try {
            migrations.reserve(device.vm(), "is being changed");
        } catch (VirtualMachine.Refused e) {
            return Optional.of(String.valueOf(e.getMessage()));
        }
        try {
            if (!vm.removeUnattached(device.id())) {
                return Optional.of("a VMM is attached");
            }
            if (vm.config().devices().isEmpty()) {
                table.remove(vm.name());
                vms.remove(vm.name());
                migrations.forget(vm.name());
                vm.close();
            }
        } catch (VirtualMachine.NotAnswering e) {
            retryLater();
            return Optional.of(String.valueOf(e.getMessage()));
        } finally {
            migrations.release(device.vm());
        }
        LOG.info("{}: {} is no longer served", device.vm(), kind(device));
        events.accept(new VmEvent.Removed(device.vm(), device.id()));
        return Optional.empty();
    }

    private static String kind(DeviceConfig device) {
        return device instanceof MemoryConfig ? "memory device " + device.id() : device.id();
    }

    private static String key(DeviceConfig device) {
        return device.vm() + "/" + device.id();
    }

    /** Prevents further changes. Does not wait, as a change that is under way may be held up. */
    void close() {
        closed = true;
    }
}
