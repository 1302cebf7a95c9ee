package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.exomem.backend.config.ByteSize;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.text.Table;
import org.jspecify.annotations.Nullable;

/** Memory devices as a table. */
final class MemoryTable {
    private MemoryTable() {}

    /**
     * Selects the devices of one VM, or the device of that id.
     *
     * @throws CommandFailure if there are none
     */
    static ArrayNode of(ControlOption.Session session, String vm, @Nullable String device) throws IOException {
        ArrayNode found = JsonNodeFactory.instance.arrayNode();
        List<String> ids = new ArrayList<>();
        for (JsonNode node : session.execute("query-memory-devices")) {
            JsonNode data = node.path("data");
            if (data.path("vm").asText().equals(vm)) {
                String id = data.path("id").asText();
                ids.add(id);
                if (device == null || id.equals(device)) {
                    found.add(node);
                }
            }
        }
        if (found.isEmpty()) {
            session.known(vm);
            throw new CommandFailure(
                    ExitCode.FAILED,
                    "VM \"" + vm + "\" has no memory device"
                            + (device == null || ids.isEmpty()
                                    ? ""
                                    : " \"" + device + "\"; there are " + String.join(", ", ids)));
        }
        return found;
    }

    static String text(JsonNode devices) {
        Table table = new Table(
                "VM",
                "DEVICE",
                ">NODE",
                ">ADDRESS",
                ">BLOCK",
                ">SIZE",
                ">REQUESTED",
                ">PLUGGED",
                "JOB",
                "WHY",
                "GUARD");
        for (JsonNode node : devices) {
            JsonNode data = node.path("data");
            JsonNode job = data.path("job");
            table.add(
                    data.path("vm").asText(),
                    data.path("id").asText(),
                    data.has("node") ? data.path("node").asText() : "-",
                    "0x" + Long.toHexString(data.path("memaddr").asLong()),
                    size(data, "block-size"),
                    size(data, "max-size"),
                    size(data, "requested-size"),
                    size(data, "size"),
                    job.isMissingNode() ? "-" : progress(job),
                    job.path("reason").asText("-"),
                    guard(data.path("guard")));
        }
        return table.toString();
    }

    private static String guard(JsonNode guard) {
        if (guard.isMissingNode()) {
            return "-";
        }
        return guard.path("on").asBoolean()
                ? "on"
                : "off: " + guard.path("reason").asText();
    }

    /** The status of a job, in a word or two. */
    private static String progress(JsonNode job) {
        String status = job.path("status").asText();
        if (status.equals("concluded")) {
            return job.path("outcome").asText();
        }
        long total = Math.max(1, job.path("total-progress").asLong());
        String done = status + " " + 100 * job.path("current-progress").asLong() / total + "%";
        long rate = job.path("rate").asLong();
        return rate == 0 ? done : done + " " + ByteSize.format(rate) + "/s";
    }

    private static String size(JsonNode data, String key) {
        return ByteSize.format(data.path(key).asLong());
    }
}
