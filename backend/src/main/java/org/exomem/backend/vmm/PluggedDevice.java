package org.exomem.backend.vmm;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpSession;
import org.exomem.backend.qmp.VmmException;

/**
 * A generic vhost-user device of a VMM, with all that is needed to plug it in again. A vhost-user back-end is behind its
 * character device.
 *
 * @param chardev the id of its character device
 * @param socket the path on which front-end and back-end meet
 * @param listening whether the VMM listens there
 */
public record PluggedDevice(GenericDevice device, String chardev, Path socket, boolean listening) {
    /** The QOM path of QEMU's devices with an id. */
    static final String PERIPHERAL = "/machine/peripheral";
    /** The QOM path of QEMU's devices without an id. */
    static final String ANONYMOUS = "/machine/peripheral-anon";

    private static final String CHILD = "child<";
    private static final String UNIX = "unix:";
    private static final String SERVER = ",server=on";
    /** The properties that make a generic device a balloon or a memory device. */
    private static final List<String> PROPERTIES = List.of("virtio-id", "num_vqs", "vq_size", "config_size");

    /** Returns all generic vhost-user devices of a VMM that have an id (VMM-4). */
    static List<PluggedDevice> of(QmpSession qmp) throws IOException {
        List<PluggedDevice> devices = new ArrayList<>();
        JsonNode chardevs = qmp.execute("query-chardev");
        for (Map.Entry<String, String> device : drivers(qmp, PERIPHERAL).entrySet()) {
            of(qmp, device.getValue(), device.getKey(), chardevs).ifPresent(devices::add);
        }
        return devices;
    }

    /** Returns the drivers of the generic vhost-user devices below a path, by the devices' names there. */
    static Map<String, String> drivers(QmpSession qmp, String path) throws IOException {
        Map<String, String> drivers = new LinkedHashMap<>();
        for (JsonNode entry : qmp.execute("qom-list", Json.object().put("path", path))) {
            String type = entry.path("type").asText();
            if (type.startsWith(CHILD + "vhost-user-") && type.endsWith("device-pci>")) {
                drivers.put(entry.path("name").asText(), type.substring(CHILD.length(), type.length() - 1));
            }
        }
        return drivers;
    }

    /** Empty for a device whose character device is no Unix socket. */
    private static Optional<PluggedDevice> of(QmpSession qmp, String driver, String id, JsonNode chardevs)
            throws IOException {
        String path = PERIPHERAL + "/" + id;
        String chardev = qmp.property(path, "chardev").asText();
        String bus = qmp.property(path, "parent_bus").asText();
        ObjectNode arguments =
                Json.object().put("driver", driver).put("id", id).put("bus", bus.substring(bus.lastIndexOf('/') + 1));
        for (String property : PROPERTIES) {
            arguments.set(property, qmp.property(path, property));
        }
        for (JsonNode candidate : chardevs) {
            String name = candidate.path("filename").asText();
            int address = name.indexOf(UNIX);
            if (candidate.path("label").asText().equals(chardev) && address >= 0) {
                String rest = name.substring(address + UNIX.length());
                boolean listening = rest.endsWith(SERVER);
                Path socket = Path.of(listening ? rest.substring(0, rest.length() - SERVER.length()) : rest);
                return Optional.of(new PluggedDevice(device(arguments), chardev, socket, listening));
            }
        }
        return Optional.empty();
    }

    private static GenericDevice device(ObjectNode arguments) throws VmmException {
        try {
            return GenericDevice.of(arguments);
        } catch (IllegalArgumentException e) {
            throw new VmmException("the VMM has a device that can't be migrated: " + e.getMessage(), e);
        }
    }

    public String id() {
        return device.id();
    }

    /** The arguments of {@code device_add}. */
    ObjectNode arguments() {
        return device.toJson().put("chardev", chardev);
    }
}
