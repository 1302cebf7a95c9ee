package org.exomem.backend.migrate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.JsonException;
import org.exomem.backend.vmm.GenericDevice;
import org.exomem.backend.vmm.PluggedDevice;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.images.manifest.Manifest;
import org.exomem.mem.MemoryRegionPlan;

/**
 * The VM's devices that exomem serves, and their settings, which migrate with the VM. They are removed from the VMM before
 * the VM leaves (spec/migration.md, "What travels beside memory").
 *
 * @param devices the devices as the source's VMM had them, by name: {@code balloon}, or the id of a memory device
 * @param regions the regions of the memory devices among them
 * @param target the requested logical size of the VM in bytes, if one was requested of its balloon
 * @param running whether the guest ran until it was paused for this; a guest that was paused before arrives paused
 */
public record MovedDevices(
        Map<String, GenericDevice> devices,
        Map<String, MemoryRegionPlan> regions,
        OptionalLong target,
        boolean running) {
    /** The name of this state in the stream. */
    public static final String STATE = "exomem";

    private static final String CHARDEV = "exomem-";

    /** The version of the format. */
    private static final int VERSION = 1;

    /** The most bytes that are read. */
    static final int MOST_BYTES = 1 << 20;

    public MovedDevices {
        devices = Map.copyOf(devices);
        regions = Map.copyOf(regions);
    }

    /** The format in the stream and in files: JSON in UTF-8. */
    public byte[] toBytes() {
        ObjectNode json = Json.object().put("version", VERSION).put("running", running);
        ArrayNode list = json.putArray("devices");
        devices.forEach((name, device) -> {
            ObjectNode entry = device.toJson().put("name", name);
            MemoryRegionPlan region = regions.get(name);
            if (region != null) {
                entry.set("region", region(region));
            }
            list.add(entry);
        });
        target.ifPresent(bytes -> json.put("target", bytes));
        return json.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static ObjectNode region(MemoryRegionPlan plan) {
        ObjectNode json = Json.object()
                .put("addr", plan.address())
                .put("size", plan.size())
                .put("block", plan.blockSize());
        plan.node().ifPresent(node -> json.put("node", node));
        return json;
    }

    /** @throws IllegalArgumentException if no memory device can have such a region */
    private static MemoryRegionPlan region(JsonNode json) {
        JsonNode node = json.path("node");
        return new MemoryRegionPlan(
                json.path("addr").asLong(-1),
                json.path("size").asLong(-1),
                json.path("block").asLong(-1),
                node.isMissingNode() ? OptionalInt.empty() : OptionalInt.of(node.asInt(-1)));
    }

    /**
     * Reads what {@link #toBytes} writes.
     *
     * @throws IOException if the format is wrong; the message says what is wrong
     */
    public static MovedDevices of(byte[] bytes) throws IOException {
        JsonNode json;
        try {
            json = Json.parse(new String(bytes, StandardCharsets.UTF_8));
        } catch (JsonException e) {
            throw new IOException("the source's description of its devices is not JSON: " + e.getMessage(), e);
        }
        JsonNode version = json.path("version");
        // MIG-BESIDE-5: exomem 0.1.0 sent none.
        if (!version.isMissingNode() && !(version.isInt() && version.asInt() == VERSION)) {
            throw new IOException("the source describes its devices in version " + version
                    + ", this end supports version " + VERSION + ": use the same version of exomem at both ends");
        }
        if (!json.path("running").isBoolean()) {
            throw new IOException("the source did not report whether its guest was running");
        }
        Map<String, GenericDevice> devices = new TreeMap<>();
        Map<String, MemoryRegionPlan> regions = new TreeMap<>();
        for (JsonNode entry : json.path("devices")) {
            try {
                String name = entry.path("name").asText();
                devices.put(name, GenericDevice.of(entry));
                if (entry.has("region")) {
                    regions.put(name, region(entry.path("region")));
                }
            } catch (IllegalArgumentException e) {
                throw new IOException("the source's description of a device is invalid: " + e.getMessage(), e);
            }
        }
        JsonNode target = json.path("target");
        return new MovedDevices(
                devices,
                regions,
                target.canConvertToLong() && target.isIntegralNumber() && target.asLong() > 0
                        ? OptionalLong.of(target.asLong())
                        : OptionalLong.empty(),
                json.path("running").asBoolean());
    }

    /**
     * Returns the devices of a saved VM; none if its image does not name them.
     *
     * @throws IOException if the image's description of them is wrong
     */
    public static MovedDevices ofImage(Manifest manifest) throws IOException {
        return of(manifest.devices()
                .orElse("{\"version\":1,\"running\":" + manifest.running() + ",\"devices\":[]}")
                .getBytes(StandardCharsets.UTF_8));
    }

    /**
     * Plugs the devices into the VMM where the guest runs now. The guest can do without them for a while, and can't go back.
     * So a device that can't be plugged in is only reported.
     *
     * @param sockets of the devices that exomem serves here for the VM, by device name
     * @param note receives each failure, and its reason
     */
    public void plugInto(QmpVmm vmm, Map<String, Path> sockets, Consumer<String> note) {
        devices.forEach((name, device) -> {
            Path socket = sockets.get(name);
            if (socket == null) {
                note.accept("the VM had the device \"" + name + "\", which is not served here");
                return;
            }
            try {
                vmm.plug(new PluggedDevice(device, CHARDEV + name, socket, false));
            } catch (IOException e) {
                note.accept("the device \"" + name + "\" could not be plugged in again: " + e.getMessage());
            }
        });
    }
}
