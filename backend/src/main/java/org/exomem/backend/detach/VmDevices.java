package org.exomem.backend.detach;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.concurrent.CompletionException;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.vm.MemoryState;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmState;
import org.exomem.backend.vmm.PluggedDevice;
import org.exomem.backend.vmm.QmpVmm;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Removes all devices that exomem serves from the VMM of a running VM, and plugs them in again, over the VMM's QMP socket. A
 * VMM such as QEMU does not connect again to a back-end that has ended; a device that is removed while exomem restarts loses
 * nothing. Calls return when they are done, which takes up to a minute. For one thread.
 */
public final class VmDevices implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(VmDevices.class);
    static final String BALLOON = "balloon";
    /** Within this time a VMM closes or makes the connection of a device that it has removed or plugged in. */
    private static final Duration CONNECTION_LIMIT = Duration.ofSeconds(10);

    private static final Duration LOOK_AGAIN = Duration.ofMillis(10);

    private final VirtualMachine vm;
    private final QmpVmm vmm;

    private VmDevices(VirtualMachine vm, QmpVmm vmm) {
        this.vm = vm;
        this.vmm = vmm;
    }

    /** @throws IOException if no process listens on the QMP socket, or it does not speak QMP */
    public static VmDevices of(VirtualMachine vm, Path qmp) throws IOException {
        return new VmDevices(vm, QmpVmm.connect(qmp));
    }

    /** True if a device of the VM was removed, and its file exists. */
    public static boolean isDetached(VirtualMachine vm) {
        return vm.sockets().values().stream()
                .anyMatch(socket -> Files.exists(DetachedFile.of(socket).path()));
    }

    /**
     * Removes the devices (STA-DET-3). When a balloon is removed, the guest's driver takes back the pages in it.
     *
     * @return the names of the removed devices; empty if there were none
     * @throws IOException if one can't be removed; then all are still there, or plugged in again; the message says what
     *     prevents it, and what is left to do if plugging in failed
     */
    public List<String> detach() throws IOException {
        VmState state = state();
        Map<String, PluggedDevice> devices = plugged();
        refuse(state, devices);
        OptionalLong size = state.balloon().map(VmState.Balloon::target).orElse(OptionalLong.empty());
        for (Map.Entry<String, PluggedDevice> device : devices.entrySet()) {
            boolean hasSize = device.getKey().equals(BALLOON);
            file(device.getKey())
                    .write(new DetachedDevice(
                            vm.name(), device.getKey(), device.getValue(), hasSize ? size : OptionalLong.empty()));
        }
        List<String> gone = new ArrayList<>();
        try {
            for (Map.Entry<String, PluggedDevice> device : devices.entrySet()) {
                gone.add(device.getKey());
                vmm.unplug(device.getValue(), () -> false);
            }
        } catch (IOException e) {
            putBack(gone, devices, e);
            throw e;
        }
        await(now -> !now.connected(), "the VMM unplugged the devices, but is still connected");
        LOG.info("{}: detached: {}", vm.name(), String.join(", ", gone));
        return gone;
    }

    private void putBack(List<String> gone, Map<String, PluggedDevice> devices, IOException why) throws IOException {
        try {
            for (String name : gone) {
                vmm.putBack(Objects.requireNonNull(devices.get(name)));
            }
            for (String name : devices.keySet()) {
                file(name).delete();
            }
        } catch (IOException e) {
            IOException both = new IOException(
                    why.getMessage() + "; and the devices that were already unplugged could not be plugged in again: "
                            + e.getMessage() + ". \"exomem attach " + vm.name() + "\" tries that again",
                    e);
            both.addSuppressed(why);
            throw both;
        }
    }

    /** Before any change, refuses what would keep a device in the VMM, or could not be plugged in again. */
    private void refuse(VmState state, Map<String, PluggedDevice> devices) throws IOException {
        List<String> connected = new ArrayList<>();
        if (state.balloon().map(VmState.Balloon::connected).orElse(false)) {
            connected.add(BALLOON);
        }
        for (MemoryState device : state.memory()) {
            if (device.connected()) {
                connected.add(device.id());
            }
            if (device.connected() && device.plugged() > 0) {
                throw refusal("its memory device \"" + device.id() + "\" has "
                        + ByteSize.format(device.plugged()) + " plugged, and can't be unplugged before the guest has"
                        + " unplugged this memory: exomem mem " + vm.name() + " " + device.id() + " 0 --wait");
            }
        }
        for (String device : connected) {
            if (!devices.containsKey(device)) {
                throw refusal("a VMM is attached to its device \"" + device
                        + "\", but the VMM on the QMP socket has no such device with an id that can be hot-plugged:"
                        + " see \"Update exomem under running VMs\" in the README for how to start the VMM");
            }
        }
        if (!devices.isEmpty() && !vmm.isRunning()) {
            throw refusal("its guest is paused, and devices can't be unplugged from a paused guest: resume it first");
        }
    }

    private IOException refusal(String why) {
        return new IOException("VM \"" + vm.name() + "\": " + why);
    }

    /** The devices in the VMM that exomem serves, by exomem's names. */
    private Map<String, PluggedDevice> plugged() throws IOException {
        Map<String, PluggedDevice> found = new TreeMap<>();
        List<PluggedDevice> all = vmm.devices();
        vm.sockets()
                .forEach((name, socket) -> all.stream()
                        .filter(device -> device.socket().equals(socket))
                        .findFirst()
                        .ifPresent(device -> found.put(name, device)));
        return found;
    }

    /**
     * Plugs in the devices that {@link #detach} has removed, in this process or an earlier one (STA-DET-4).
     *
     * @return the names of the devices that were plugged in; empty if there is no file of any
     * @throws IOException if one can't be plugged in; its file stays
     */
    public List<String> attach() throws IOException {
        Map<String, PluggedDevice> there = plugged();
        List<String> back = new ArrayList<>();
        for (String name : vm.sockets().keySet()) {
            Optional<DetachedDevice> detached = file(name).read();
            if (detached.isPresent() && there.containsKey(name)) {
                if (!isConnected(state(), name)) {
                    throw refusal("the VMM still has its device \""
                            + Objects.requireNonNull(there.get(name)).id() + "\", but has lost the connection to"
                            + " exomem: only a restart of that VMM brings the device back");
                }
                // The VMM was started with it again, or never removed it.
                file(name).delete();
            } else if (detached.isPresent()) {
                attach(name, detached.get());
                back.add(name);
            }
        }
        if (!back.isEmpty()) {
            LOG.info("{}: attached: {}", vm.name(), String.join(", ", back));
        }
        return back;
    }

    private void attach(String name, DetachedDevice detached) throws IOException {
        if (!detached.vm().equals(vm.name()) || !detached.device().equals(name)) {
            throw refusal(file(name).path() + " belongs to VM \"" + detached.vm() + "\" and its device \""
                    + detached.device() + "\"; exomem leaves the file unchanged");
        }
        OptionalLong wanted = state().balloon().map(VmState.Balloon::target).orElse(OptionalLong.empty());
        if (name.equals(BALLOON) && wanted.isEmpty() && detached.size().isPresent()) {
            join(() -> vm.resize(detached.size().getAsLong()).join());
        }
        vmm.plugAgain(detached.plugged());
        await(now -> isConnected(now, name), "the VMM plugged in the device \"" + name + "\", but does not connect");
        file(name).delete();
    }

    private static boolean isConnected(VmState state, String device) {
        return device.equals(BALLOON)
                ? state.balloon().map(VmState.Balloon::connected).orElse(false)
                : state.memory().stream().anyMatch(of -> of.id().equals(device) && of.connected());
    }

    private DetachedFile file(String device) {
        return DetachedFile.of(Objects.requireNonNull(vm.sockets().get(device)));
    }

    private void await(Predicate<VmState> condition, String otherwise) throws IOException {
        long end = System.nanoTime() + CONNECTION_LIMIT.toNanos();
        while (!condition.test(state())) {
            if (System.nanoTime() > end) {
                throw refusal(otherwise);
            }
            LockSupport.parkNanos(LOOK_AGAIN.toNanos());
        }
    }

    private VmState state() throws IOException {
        return join(() -> vm.state().join());
    }

    private static <T> T join(Supplier<T> question) throws IOException {
        try {
            return question.get();
        } catch (CompletionException e) {
            Throwable cause = e.getCause() == null ? e : e.getCause();
            throw new IOException(cause.getMessage(), cause);
        }
    }

    @Override
    public void close() {
        vmm.close();
    }
}
