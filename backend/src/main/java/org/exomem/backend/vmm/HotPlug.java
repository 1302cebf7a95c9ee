package org.exomem.backend.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpSession;
import org.exomem.backend.qmp.VmmException;

/** Removes generic vhost-user devices from a running guest, and plugs them in again (VMM-4, VMM-5). For one thread. */
final class HotPlug {
    /** A guest's driver releases a device within seconds, unless it is not loaded or hangs. */
    private static final Duration UNPLUG_LIMIT = Duration.ofSeconds(30);

    private static final Duration SOCKET_LIMIT = Duration.ofSeconds(5);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(20);
    private static final Set<String> COMMANDS =
            Set.of("query-chardev", "chardev-add", "chardev-remove", "device_add", "device_del", "qom-list", "qom-get");

    private final QmpSession qmp;
    private final boolean supported;
    /** The ids of the devices that were requested to be unplugged. */
    private final Set<String> leaving = new HashSet<>();

    /** @param commands the commands that the VMM knows */
    HotPlug(QmpSession qmp, Set<String> commands) {
        this.qmp = qmp;
        this.supported = commands.containsAll(COMMANDS);
    }

    boolean isSupported() {
        return supported;
    }

    /**
     * Returns the generic vhost-user devices that have an id. Empty if the VMM can't hot-plug devices.
     *
     * @throws IOException if the VMM does not answer
     */
    List<PluggedDevice> devices() throws IOException {
        return supported ? PluggedDevice.of(qmp) : List.of();
    }

    /**
     * Removes a device from the running guest (VMM-5). Returns when the guest's driver has released it.
     *
     * @param givenUp is checked every 20 ms; true ends the wait
     * @throws VmmException if the driver does not release it within 30 s; it may still do so later, see {@link #putBack}
     */
    void unplug(PluggedDevice device, BooleanSupplier givenUp) throws IOException {
        leaving.add(device.id());
        try {
            qmp.execute("device_del", Json.object().put("id", device.id()));
        } catch (VmmException e) {
            if (e.isRefusal()) {
                leaving.remove(device.id());
            }
            throw e;
        }
        awaitGone(device, givenUp);
        removeSocket(device);
    }

    /**
     * Removes the character device. QEMU releases its socket a little later than it removes the device, so this tries for 5
     * s.
     */
    private void removeSocket(PluggedDevice device) throws IOException {
        long end = System.nanoTime() + SOCKET_LIMIT.toNanos();
        while (true) {
            try {
                qmp.execute("chardev-remove", Json.object().put("id", device.chardev()));
                return;
            } catch (VmmException e) {
                if (!e.isRefusal() || System.nanoTime() > end) {
                    throw e;
                }
            }
            qmp.await(event -> false, LOOK_AGAIN);
        }
    }

    private void awaitGone(PluggedDevice device, BooleanSupplier givenUp) throws IOException {
        long end = System.nanoTime() + UNPLUG_LIMIT.toNanos();
        while (has(device)) {
            if (givenUp.getAsBoolean() || System.nanoTime() > end) {
                throw new VmmException("the VMM on " + qmp + ": the guest did not release the device \"" + device.id()
                        + "\" within " + UNPLUG_LIMIT.toSeconds() + " s, or before the unplug was cancelled");
            }
            qmp.await(event -> event.path("event").asText().equals("DEVICE_DELETED"), LOOK_AGAIN);
        }
    }

    private boolean has(PluggedDevice device) throws IOException {
        for (JsonNode entry : qmp.execute("qom-list", Json.object().put("path", PluggedDevice.PERIPHERAL))) {
            if (entry.path("name").asText().equals(device.id())) {
                return true;
            }
        }
        return false;
    }

    /**
     * Plugs in a device again after {@link #unplug}, even if that failed. A request to unplug can't be withdrawn: this waits
     * until the device has been released, and plugs it in again.
     *
     * @throws VmmException if it can't be plugged in, or is not released within 30 s
     */
    void putBack(PluggedDevice device) throws IOException {
        if (!leaving.contains(device.id())) {
            return;
        }
        awaitGone(device, () -> false);
        plugAgain(device);
        leaving.remove(device.id());
    }

    /**
     * Plugs in a device that was removed, maybe over another connection, and whose character device may still be there.
     *
     * @throws VmmException if it can't be plugged in
     */
    void plugAgain(PluggedDevice device) throws IOException {
        for (JsonNode chardev : qmp.execute("query-chardev")) {
            if (chardev.path("label").asText().equals(device.chardev())) {
                removeSocket(device);
            }
        }
        plug(device);
    }

    /**
     * Plugs in a device whose back-end listens, or connects, on its socket (VMM-5).
     *
     * @throws VmmException if it can't be plugged in
     */
    void plug(PluggedDevice device) throws IOException {
        ObjectNode chardev = Json.object().put("id", device.chardev());
        ObjectNode data = chardev.putObject("backend").put("type", "socket").putObject("data");
        data.put("server", device.listening()).put("wait", false);
        data.putObject("addr")
                .put("type", "unix")
                .putObject("data")
                .put("path", device.socket().toString());
        if (!device.listening()) {
            data.remove("wait");
        }
        qmp.execute("chardev-add", chardev);
        qmp.execute("device_add", device.arguments());
    }
}
