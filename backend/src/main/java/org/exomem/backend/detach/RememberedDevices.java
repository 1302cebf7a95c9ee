package org.exomem.backend.detach;

import java.io.IOException;
import java.util.Map;
import java.util.OptionalLong;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vmm.PluggedDevice;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Devices that leave a VMM for a moment, while its guest is moved or saved. They are remembered as detached ones are (STA-DET-1): if this
 * process is killed meanwhile, {@code exomem attach} has the next one put them back. For one thread.
 */
public final class RememberedDevices {
    private static final Logger LOG = LoggerFactory.getLogger(RememberedDevices.class);

    private final VirtualMachine vm;
    private final Map<String, PluggedDevice> devices;

    /** @param devices by exomem's names for them; their sockets have paths */
    public RememberedDevices(VirtualMachine vm, Map<String, PluggedDevice> devices) {
        this.vm = vm;
        this.devices = Map.copyOf(devices);
    }

    /**
     * Before the first one is taken out. What can't be written is told in the log only: it is of use if this process is killed.
     *
     * @param size the logical size in bytes that is wanted of the balloon, if one is
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

    /** The device is back, or not needed here any more. */
    public void forget(String name) {
        PluggedDevice device = devices.get(name);
        if (device == null) {
            return;
        }
        try {
            DetachedFile.of(device.socket()).delete();
        } catch (IOException e) {
            LOG.warn("{}: its device \"{}\" is still remembered as detached: {}", vm.name(), name, e.getMessage());
        }
    }

    /** {@link #forget} for all of them. */
    public void forgetAll() {
        devices.keySet().forEach(this::forget);
    }
}
