package org.exomem.embedded;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import org.exomem.embedded.EmbeddedDevices.Device;

/** The QMP commands for devices, like those of QEMU for its generic vhost-user device. */
final class DeviceCommands {
    static final String PERIPHERAL = "/machine/peripheral";
    static final String DRIVER = "vhost-user-test-device-pci";

    private final EmbeddedGuest guest;
    private final EmbeddedDevices devices;

    DeviceCommands(EmbeddedGuest guest) {
        this.guest = guest;
        this.devices = guest.devices();
    }

    ArrayNode characterDevices() {
        ArrayNode all = QmpServer.object().putArray("all");
        devices.sockets()
                .forEach((id, socket) -> all.addObject()
                        .put("label", id)
                        .put("filename", "unix:" + socket)
                        .put("frontend-open", true));
        return all;
    }

    JsonNode addCharacterDevice(JsonNode arguments) {
        JsonNode data = arguments.path("backend").path("data");
        if (data.path("server").asBoolean(true)) {
            throw new IllegalArgumentException("this VMM connects to back-ends and does not listen; use server=off");
        }
        devices.addSocket(text(arguments, "id"), Path.of(text(data.path("addr").path("data"), "path")));
        return QmpServer.object();
    }

    JsonNode removeCharacterDevice(JsonNode arguments) {
        devices.removeSocket(text(arguments, "id"));
        return QmpServer.object();
    }

    JsonNode add(JsonNode arguments) throws QmpError {
        if (arguments.path("virtio-id").asInt() != EmbeddedDevices.BALLOON) {
            throw QmpError.general("this VMM's guest has a driver for balloons (virtio-id 5) only");
        }
        try {
            guest.plug(text(arguments, "id"), text(arguments, "chardev"), arguments.deepCopy());
        } catch (IOException e) {
            throw QmpError.general(String.valueOf(e.getMessage()));
        }
        return QmpServer.object();
    }

    JsonNode remove(JsonNode arguments) throws QmpError {
        devices.unplug(text(arguments, "id"));
        return QmpServer.object();
    }

    private static String text(JsonNode arguments, String name) {
        if (!arguments.path(name).isTextual()) {
            throw new IllegalArgumentException("Parameter '" + name + "' is missing");
        }
        return arguments.path(name).asText();
    }

    /** The properties of a device, by its path; empty if there is none. */
    static ObjectNode properties(EmbeddedDevices devices, String path) {
        Device device =
                path.startsWith(PERIPHERAL + "/") ? devices.device(path.substring(PERIPHERAL.length() + 1)) : null;
        return device == null
                ? QmpServer.object()
                : device.arguments()
                        .deepCopy()
                        .put(
                                "parent_bus",
                                "/machine/" + device.arguments().path("bus").asText("rp0"));
    }

    ObjectNode balloon() throws QmpError {
        String id = devices.any();
        Device device = id == null ? null : devices.device(id);
        if (device == null) {
            throw new QmpError("DeviceNotActive", "no balloon device is active");
        }
        GuestBalloon.Seen seen = device.balloon().seen();
        ObjectNode answer = QmpServer.object()
                .put("in-balloon", seen.inBalloon())
                .put("sessions", seen.sessions())
                .put("hinted", seen.hinted())
                .put("reported", seen.reported())
                .put("taken-back", guest.program().allocator().takenBack());
        String broken = device.balloon().broken();
        if (broken != null) {
            answer.put("broken", broken);
        }
        return answer;
    }
}
