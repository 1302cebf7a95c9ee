package org.exomem.backend.migrate;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.JsonException;
import org.exomem.migration.stream.destination.BegunMigration;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.pages.Pages;

/**
 * What the next exomem needs to know of a guest that runs here while pages are owed to it (STR-PST-9), in JSON:
 *
 * <pre>
 * {"version":1,"vm":"web","migration":UUID,"source":"192.0.2.1:40000","rounds":3,
 *  "listen":"hostb:7000","tls-dir":"/etc/exomem/pki/hostb","plain":false,"reconnect-within":60,
 *  "started":true,"pid":4711,"qmp":"/run/web.qmp",
 *  "ram":[{"id":"ram","size":1073741824,"huge":4096,"path":"/dev/shm/web.ram"}],"devices":{...}}
 * </pre>
 *
 * @param vm its name
 * @param begun the migration
 * @param listen the address where its source connects again
 * @param keys the files that protect the migration
 * @param plain whether an unprotected connection is allowed
 * @param reconnectWithin how long after the end the source may connect again to learn of it; whole seconds
 * @param pid the process id of the VMM
 * @param qmp the VMM's QMP socket
 * @param ram the files of its memory, in the stream's order; 1 to 64
 * @param devices the devices of exomem that the VM had
 * @param started whether the VMM has started the guest
 */
record PostCopyArrival(
        String vm,
        BegunMigration begun,
        MigrationAddress listen,
        KeyFiles keys,
        boolean plain,
        Duration reconnectWithin,
        int pid,
        Path qmp,
        List<Path> ram,
        MovedDevices devices,
        boolean started) {
    /** The largest file, in bytes. */
    static final int MOST = 4 << 20;

    private static final int VERSION = 1;
    private static final int MOST_FILES = 64;

    PostCopyArrival {
        ram = List.copyOf(ram);
    }

    byte[] toBytes() throws IOException {
        ObjectNode json = Json.object()
                .put("version", VERSION)
                .put("vm", vm)
                .put("migration", begun.migration().toString())
                .put("source", begun.source())
                .put("rounds", begun.rounds())
                .put("listen", listen.toString());
        keys.tls().ifPresent(path -> json.put("tls-dir", path.toString()));
        keys.psk().ifPresent(path -> json.put("psk-file", path.toString()));
        json.put("plain", plain)
                .put("reconnect-within", reconnectWithin.toSeconds())
                .put("started", started)
                .put("pid", pid)
                .put("qmp", qmp.toString());
        ArrayNode files = json.putArray("ram");
        for (int i = 0; i < ram.size(); i++) {
            MemoryDescription.MemoryFile file = begun.memory().files().get(i);
            files.addObject()
                    .put("id", file.name())
                    .put("size", file.size())
                    .put("huge", file.hugePageSize())
                    .put("path", ram.get(i).toString());
        }
        try {
            json.set("devices", Json.parse(new String(devices.toBytes(), StandardCharsets.UTF_8)));
        } catch (JsonException e) {
            throw new IOException(e);
        }
        return (Json.pretty(json) + "\n").getBytes(StandardCharsets.UTF_8);
    }

    /**
     * Reads what {@link #toBytes} writes.
     *
     * @throws IOException if the format is wrong; the message says what is wrong
     */
    static PostCopyArrival of(byte[] bytes) throws IOException {
        try {
            JsonNode json = Json.parse(new String(bytes, StandardCharsets.UTF_8));
            JsonNode version = json.path("version");
            if (!version.isInt() || version.asInt() != VERSION) {
                throw new IOException("it has version " + version + ", and this exomem supports version " + VERSION);
            }
            List<Path> ram = new ArrayList<>();
            List<MemoryDescription.MemoryFile> files = new ArrayList<>();
            for (JsonNode file : json.path("ram")) {
                files.add(
                        new MemoryDescription.MemoryFile(text(file, "id"), number(file, "size"), number(file, "huge")));
                ram.add(path(file, "path"));
            }
            if (ram.isEmpty() || ram.size() > MOST_FILES) {
                throw new IOException("\"ram\" is not a list of 1 to " + MOST_FILES + " files");
            }
            return new PostCopyArrival(
                    text(json, "vm"),
                    new BegunMigration(
                            UUID.fromString(text(json, "migration")),
                            text(json, "source"),
                            new MemoryDescription(Pages.SIZE, files),
                            number(json, "rounds")),
                    MigrationAddress.parse(text(json, "listen")),
                    new KeyFiles(optionalPath(json, "tls-dir"), optionalPath(json, "psk-file")),
                    json.path("plain").asBoolean(),
                    Duration.ofSeconds(number(json, "reconnect-within")),
                    Math.toIntExact(number(json, "pid")),
                    path(json, "qmp"),
                    ram,
                    MovedDevices.of(json.path("devices").toString().getBytes(StandardCharsets.UTF_8)),
                    json.path("started").asBoolean());
        } catch (JsonException e) {
            throw new IOException("it is not JSON: " + e.getMessage(), e);
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw new IOException("it is invalid: " + e.getMessage(), e);
        }
    }

    private static long number(JsonNode json, String name) throws IOException {
        JsonNode value = json.path(name);
        if (!value.isIntegralNumber() || !value.canConvertToLong() || value.asLong() < 0) {
            throw new IOException("\"" + name + "\" is not a number");
        }
        return value.asLong();
    }

    private static String text(JsonNode json, String name) throws IOException {
        JsonNode value = json.path(name);
        if (!value.isTextual() || value.textValue().isEmpty()) {
            throw new IOException("\"" + name + "\" is not a string");
        }
        return value.textValue();
    }

    private static Path path(JsonNode json, String name) throws IOException {
        try {
            Path path = Path.of(text(json, name));
            if (path.isAbsolute()) {
                return path;
            }
        } catch (InvalidPathException e) {
            throw new IOException("\"" + name + "\" is not a valid path: " + e.getReason(), e);
        }
        throw new IOException("\"" + name + "\" is not an absolute path");
    }

    private static Optional<Path> optionalPath(JsonNode json, String name) throws IOException {
        return json.has(name) ? Optional.of(path(json, name)) : Optional.empty();
    }
}
