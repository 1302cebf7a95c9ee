package org.exomem.backend.pager;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.JsonException;
import org.exomem.images.Sha256;
import org.exomem.images.manifest.Manifest;

/**
 * What the next exomem needs to know of a VM whose memory comes on demand, in JSON:
 *
 * <pre>
 * {"version":1,"vm":"web","image":"/images/web","manifest":SHA-256,"pid":4711,"qmp":"/run/web.qmp","ram":["/dev/shm/web.ram"]}
 * </pre>
 *
 * @param image the folder that its memory comes from
 * @param manifest the digest of the image's manifest, as no other image has the owed pages
 * @param pid of its VMM
 * @param qmp the VMM's QMP socket
 * @param ram the files of its memory, in the order of the image's
 */
record PagerRecord(String vm, Path image, Sha256 manifest, int pid, Path qmp, List<Path> ram) {
    private static final int VERSION = 1;

    PagerRecord {
        ram = List.copyOf(ram);
    }

    String toJson() {
        ObjectNode json = Json.object()
                .put("version", VERSION)
                .put("vm", vm)
                .put("image", image.toString())
                .put("manifest", manifest.hex())
                .put("pid", pid)
                .put("qmp", qmp.toString());
        ArrayNode list = json.putArray("ram");
        ram.forEach(file -> list.add(file.toString()));
        return Json.pretty(json);
    }

    /**
     * Reads what {@link #toJson} writes.
     *
     * @throws IOException if the format is wrong; the message says what is wrong
     */
    static PagerRecord of(String text) throws IOException {
        JsonNode json;
        try {
            json = Json.parse(text);
        } catch (JsonException e) {
            throw new IOException("it is not JSON: " + e.getMessage(), e);
        }
        JsonNode version = json.path("version");
        if (!version.isInt() || version.asInt() != VERSION) {
            throw new IOException("it has version " + version + ", and this exomem supports version " + VERSION);
        }
        List<Path> ram = new ArrayList<>();
        for (JsonNode file : json.path("ram")) {
            ram.add(path("ram", file));
        }
        if (!json.path("ram").isArray() || ram.isEmpty() || ram.size() > Manifest.MOST_RAM_FILES) {
            throw new IOException("\"ram\" is not a list of 1 to " + Manifest.MOST_RAM_FILES + " files");
        }
        JsonNode pid = json.path("pid");
        if (!pid.isInt() || pid.asInt() <= 0) {
            throw new IOException("\"pid\" is not a process id");
        }
        return new PagerRecord(
                text("vm", json.path("vm")),
                path("image", json.path("image")),
                digest(text("manifest", json.path("manifest"))),
                pid.asInt(),
                path("qmp", json.path("qmp")),
                ram);
    }

    private static Sha256 digest(String hex) throws IOException {
        try {
            return new Sha256(hex);
        } catch (IllegalArgumentException e) {
            throw new IOException("\"manifest\": " + e.getMessage(), e);
        }
    }

    private static String text(String name, JsonNode json) throws IOException {
        if (!json.isTextual() || json.textValue().isEmpty()) {
            throw new IOException("\"" + name + "\" is not a string");
        }
        return json.textValue();
    }

    private static Path path(String name, JsonNode json) throws IOException {
        try {
            Path path = Path.of(text(name, json));
            if (path.isAbsolute()) {
                return path;
            }
        } catch (InvalidPathException e) {
            throw new IOException("\"" + name + "\" is not a valid path: " + e.getReason(), e);
        }
        throw new IOException("\"" + name + "\" is not an absolute path");
    }
}
