package org.exomem.backend.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.exomem.backend.qmp.QmpSession;
import org.exomem.backend.qmp.VmmException;

/** Finds what would prevent a VMM from saving its guest's state, before any memory is sent (VMM-14). For one thread. */
final class MigrationBlockers {
    private static final String PCI = "-pci";

    private final QmpSession qmp;
    private final boolean hotPlug;

    /** @param hotPlug whether the VMM can remove devices */
    MigrationBlockers(QmpSession qmp, boolean hotPlug) {
        this.qmp = qmp;
        this.hotPlug = hotPlug;
    }

    /**
     * Checks that a VMM can save its guest's state once some devices have been removed.
     *
     * @param takenOut the devices that will be removed first, or have been
     * @throws VmmException if it can't; the message names the obstacle and the remedy
     */
    void refuse(Collection<PluggedDevice> takenOut) throws IOException {
        if (hotPlug) {
            refuseDevicesWithoutId();
            for (PluggedDevice device : takenOut) {
                refuseUnlessRemovable(device);
            }
        }
        List<String> reasons = reasons();
        // QEMU's reasons name a device by its place on the bus, not by its id. So only the numbers of devices can be
        // compared.
        for (PluggedDevice device : takenOut) {
            reasons.stream()
                    .filter(reason -> reason.endsWith("/" + blocking(device)))
                    .findFirst()
                    .ifPresent(reasons::remove);
        }
        if (!reasons.isEmpty()) {
            throw new VmmException("the VMM on " + qmp + " can't migrate its guest: " + String.join("; ", reasons)
                    + ". Remove what is named there (device_del), or start the VM without it");
        }
    }

    /**
     * Checks that a VMM that waits for a guest has no generic vhost-user device. The guest arrives without them, and exomem
     * plugs them in afterwards (VMM-15).
     *
     * @throws VmmException if it has one; the message names it
     */
    void refuseDevicesOfAWaitingVmm() throws IOException {
        if (!hotPlug) {
            return;
        }
        List<String> devices = new ArrayList<>(
                PluggedDevice.drivers(qmp, PluggedDevice.PERIPHERAL).keySet());
        devices.addAll(devicesWithoutId().keySet());
        if (!devices.isEmpty()) {
            throw new VmmException("the VMM on " + qmp + " waits for a guest, but already has " + devices.getFirst()
                    + ": start it without exomem's -chardev and -device options; exomem plugs its devices in when the"
                    + " guest has arrived");
        }
    }

    private void refuseDevicesWithoutId() throws IOException {
        for (Map.Entry<String, String> device : devicesWithoutId().entrySet()) {
            throw new VmmException("the VMM on " + qmp + " has a device " + device.getValue() + " without an id ("
                    + PluggedDevice.ANONYMOUS + "/" + device.getKey()
                    + "), which can't be unplugged before the guest migrates: " + remedy(device.getValue()));
        }
    }

    /** Empty for a VMM that does not list them. */
    private Map<String, String> devicesWithoutId() throws IOException {
        try {
            return PluggedDevice.drivers(qmp, PluggedDevice.ANONYMOUS);
        } catch (VmmException e) {
            if (e.isRefusal()) {
                return Map.of();
            }
            throw e;
        }
    }

    private void refuseUnlessRemovable(PluggedDevice device) throws IOException {
        if (!isRemovable(PluggedDevice.PERIPHERAL + "/" + device.id())) {
            throw new VmmException("the device \"" + device.id() + "\" of the VMM on " + qmp
                    + " can't be unplugged before the guest migrates, because its bus "
                    + device.device().bus()
                    + " allows no hot-unplug: "
                    + remedy(device.device().driver() + ",id=" + device.id()));
        }
    }

    private static String remedy(String device) {
        return "start the VM with -device pcie-root-port,id=PORT,chassis=NUMBER and -device " + device
                + (device.contains(",id=") ? "" : ",id=ID") + ",bus=PORT,…";
    }

    /** True for a VMM that does not report it. */
    private boolean isRemovable(String path) throws IOException {
        try {
            return qmp.property(path, "hotpluggable").asBoolean(true);
        } catch (VmmException e) {
            if (e.isRefusal()) {
                return true;
            }
            throw e;
        }
    }

    private List<String> reasons() throws IOException {
        List<String> reasons = new ArrayList<>();
        for (JsonNode reason : qmp.execute("query-migrate").path("blocked-reasons")) {
            reasons.add(reason.asText());
        }
        return reasons;
    }

    /** Returns the name, in QEMU's reasons, of the part of a PCI device that blocks migrations. */
    private static String blocking(PluggedDevice device) {
        String driver = device.device().driver();
        return driver.endsWith(PCI) ? driver.substring(0, driver.length() - PCI.length()) : driver;
    }
}
