package org.exomem.backend.detach;

import java.io.IOException;
import java.util.Map;
import java.util.OptionalLong;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vmm.PluggedDevice;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps the devices that are removed from a VMM while its guest is moved or saved, as detached devices are kept (STA-DET-1).
 * If this process is killed meanwhile, {@code exomem attach} makes the next one plug them in again. For one thread.
 */
public final class RememberedDevices {
    private static final Logger LOG = LoggerFactory.getLogger(RememberedDevices.class);

    private final VirtualMachine vm;
    private final Map<String, PluggedDevice> devices;

    /** @param devices by exomem's names for them; their sockets must have paths */
    public RememberedDevices(VirtualMachine vm, Map<String, PluggedDevice> devices) {
        this.vm = vm;
        this.devices = Map.copyOf(devices);
    }

    /**
     * Writes the files. Call it before the first device is removed. A failure is only logged, as the files matter only if
     * this process is killed.
     *
     * @param size the requested logical size of the VM in bytes, if one was requested
     */
    public void remember(OptionalLong size) {
        devices.forEach((name, device) -> {
            boolean hasSize = name.equals(VmDevices.BALLOON);
            try {
                DetachedFile.of(device.socket())
                        .write(new DetachedDevice(vm.name(), name, device, hasSize ? size : OptionalLong.empty()));
            } catch (IOException e) {
                LOG.warn("{}: {}", vm.name(), e.getMessage());
            }
        });
    }

    /** Removes the file of a device that is plugged in again, or not needed here any more. */
    public void forget(String name) {
        PluggedDevice device = devices.get(name);
        if (device == null) {
            return;
        }
        try {
            DetachedFile.of(device.socket()).delete();
        } catch (IOException e) {
            LOG.warn("{}: its device \"{}\" is still recorded as detached: {}", vm.name(), name, e.getMessage());
        }
    }

    /** Calls {@link #forget} for all devices. */
    public void forgetAll() {
        devices.keySet().forEach(this::forget);
    }
}
