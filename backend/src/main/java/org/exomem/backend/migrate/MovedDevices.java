package org.exomem.backend.migrate;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.exomem.backend.control.Json;
import org.exomem.backend.vmm.PluggedDevice;

/**
 * What of a VM's devices travels with it, since they are taken out of the VMM before the VM leaves: which they were, and what
 * was wanted of them (spec/migration.md, "What travels beside memory").
 *
 * @param devices those that exomem served, as the source's VMM had them, each with its name: {@code balloon}, or the id of a
 *     memory device
 * @param target the VM's logical size in bytes that was wanted of its balloon, if one was
 * @param running whether the guest ran until it was paused for this: one that stood still arrives so
 */
record MovedDevices(List<Device> devices, OptionalLong target, boolean running) {
    /** What its state is called in the stream. */
    static final String STATE = "exomem";

    /** The most bytes that are read of it. */
    static final int MOST_BYTES = 1 << 20;

    /** A device by its name. */
    record Device(String name, PluggedDevice plugged) {}

    MovedDevices {
        devices = List.copyOf(devices);
    }

    byte[] toBytes() {
        ObjectNode json = Json.object().put("running", running);
        ArrayNode list = json.putArray("devices");
        for (Device device : devices) {
            ObjectNode entry = list.addObject().put("name", device.name).put("chardev", device.plugged.chardev());
            entry.set("arguments", device.plugged.arguments());
        }
        target.ifPresent(bytes -> json.put("target", bytes));
        return json.toString().getBytes(StandardCharsets.UTF_8);
    }

    /** @throws IOException if it is not what {@link #toBytes} makes; says what is wrong */
    static MovedDevices of(byte[] bytes) throws IOException {
        JsonNode json;
        try {
            json = Json.parse(new String(bytes, StandardCharsets.UTF_8));
        } catch (JsonProcessingException e) {
            throw new IOException("what the source says of its devices is not JSON: " + e.getOriginalMessage(), e);
        }
        if (!json.path("running").isBoolean()) {
            throw new IOException("the source does not say whether its guest ran");
        }
        List<Device> devices = new ArrayList<>();
        for (JsonNode entry : json.path("devices")) {
            if (!(entry.path("arguments") instanceof ObjectNode arguments)
                    || !entry.path("name").isTextual()
                    || !entry.path("chardev").isTextual()
                    || !arguments.path("id").isTextual()) {
                throw new IOException("the source describes a device in a way that is not understood: " + entry);
            }
            devices.add(new Device(
                    entry.path("name").asText(),
                    new PluggedDevice(
                            arguments.path("id").asText(),
                            entry.path("chardev").asText(),
                            Path.of("/"),
                            false,
                            arguments)));
        }
        JsonNode target = json.path("target");
        return new MovedDevices(
                devices,
                target.canConvertToLong() && target.isIntegralNumber() && target.asLong() > 0
                        ? OptionalLong.of(target.asLong())
                        : OptionalLong.empty(),
                json.path("running").asBoolean());
    }
}
