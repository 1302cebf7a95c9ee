package org.exomem.backend.detach;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.vmm.GenericDevice;
import org.exomem.backend.vmm.PluggedDevice;

/**
 * A device that was removed from a VMM, with all that is needed to plug it in again. After the removal the VMM has no record
 * of it.
 *
 * @param vm the name of the VM
 * @param device exomem's name of the device: {@code balloon}, or the id of a memory device
 * @param plugged the device as the VMM had it
 * @param size the requested logical size of the VM in bytes, if one was requested of its balloon
 */
record DetachedDevice(String vm, String device, PluggedDevice plugged, OptionalLong size) {
    private static final int VERSION = 1;

    /**
     * Reads what {@link #toJson} writes.
     *
     * @throws IOException if the format is wrong; the message says what is wrong
     */
    static DetachedDevice of(JsonNode json) throws IOException {
        if (json.path("version").asInt() != VERSION) {
            throw new IOException(
                    "it has version " + json.path("version") + "; this exomem supports version " + VERSION);
        }
        String socket = json.path("socket").asText();
        if (!socket.startsWith("/")) {
            throw new IOException("it does not name a socket");
        }
        try {
            PluggedDevice plugged = new PluggedDevice(
                    GenericDevice.of(json.path("device_add")),
                    json.path("chardev").asText(),
                    Path.of(socket),
                    json.path("listening").asBoolean());
            JsonNode size = json.path("size");
            return new DetachedDevice(
                    json.path("vm").asText(),
                    json.path("device").asText(),
                    plugged,
                    size.canConvertToLong() && size.asLong() > 0
                            ? OptionalLong.of(size.asLong())
                            : OptionalLong.empty());
        } catch (IllegalArgumentException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    ObjectNode toJson() {
        ObjectNode json = Json.object()
                .put("version", VERSION)
                .put("vm", vm)
                .put("device", device)
                .put("chardev", plugged.chardev())
                .put("socket", plugged.socket().toString())
                .put("listening", plugged.listening());
        json.set("device_add", plugged.device().toJson());
        size.ifPresent(bytes -> json.put("size", bytes));
        return json;
    }
}
