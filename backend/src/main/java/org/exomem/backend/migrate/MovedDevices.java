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
 * What of a VM's devices travels with it, since they are taken out of the VMM before the VM leaves: which they were, and what
 * was wanted of them (spec/migration.md, "What travels beside memory").
 *
 * @param devices those that exomem served, as the source's VMM had them, each by its name: {@code balloon}, or the id of a
 *     memory device
 * @param regions of the memory devices among them
 * @param target the VM's logical size in bytes that was wanted of its balloon, if one was
 * @param running whether the guest ran until it was paused for this: one that stood still arrives so
 */
public record MovedDevices(
        Map<String, GenericDevice> devices,
        Map<String, MemoryRegionPlan> regions,
        OptionalLong target,
        boolean running) {
    /** What its state is called in the stream. */
    public static final String STATE = "exomem";

    private static final String CHARDEV = "exomem-";

    /** The version of the format that this is. */
    private static final int VERSION = 1;

    /** The most bytes that are read of it. */
    static final int MOST_BYTES = 1 << 20;

    public MovedDevices {
        devices = Map.copyOf(devices);
        regions = Map.copyOf(regions);
    }

    /** As it travels and as it is kept. */
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

    /** @throws IllegalArgumentException if it is none that a memory device can have */
    private static MemoryRegionPlan region(JsonNode json) {
        JsonNode node = json.path("node");
        return new MemoryRegionPlan(
                json.path("addr").asLong(-1),
                json.path("size").asLong(-1),
                json.path("block").asLong(-1),
                node.isMissingNode() ? OptionalInt.empty() : OptionalInt.of(node.asInt(-1)));
    }

    /** @throws IOException if it is not what {@link #toBytes} makes; says what is wrong */
    public static MovedDevices of(byte[] bytes) throws IOException {
        JsonNode json;
        try {
            json = Json.parse(new String(bytes, StandardCharsets.UTF_8));
        } catch (JsonException e) {
            throw new IOException("what the source says of its devices is not JSON: " + e.getMessage(), e);
        }
        JsonNode version = json.path("version");
        // MIG-BESIDE-5: exomem 0.1.0 sent none.
        if (!version.isMissingNode() && !(version.isInt() && version.asInt() == VERSION)) {
            throw new IOException("the source tells of its devices in version " + version + ", this end knows version "
                    + VERSION + ": use an exomem of the same age at both ends");
        }
        if (!json.path("running").isBoolean()) {
            throw new IOException("the source does not say whether its guest ran");
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
                throw new IOException("what the source says of a device is not understood: " + e.getMessage(), e);
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

    /** Those of a saved VM; none if its image does not tell. */
    public static MovedDevices ofImage(Manifest manifest) throws IOException {
        return of(manifest.devices()
                .orElse("{\"version\":1,\"running\":" + manifest.running() + ",\"devices\":[]}")
                .getBytes(StandardCharsets.UTF_8));
    }

    /**
     * Plugs them in again where their guest runs now. It can do without them for a while, and there is no way back: what can't be plugged
     * in is only told.
     *
     * @param sockets of the devices that exomem serves here for the VM, by their names
     * @param note is told what could not be done, and why
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
