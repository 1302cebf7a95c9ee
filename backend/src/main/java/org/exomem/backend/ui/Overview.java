package org.exomem.backend.ui;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.qmp.QmpClient;
import org.exomem.backend.qmp.QmpException;

/** The present state of all VMs of a process, from its control socket. For one thread. */
public final class Overview {
    /** The interval of requests for statistics, as a guest has to run to answer them. */
    private static final Duration STATISTICS = Duration.ofSeconds(5);

    private final QmpClient client;
    private final Map<String, JsonNode> statistics = new HashMap<>();
    private long askedAt = System.nanoTime() - STATISTICS.toNanos();

    /** @param client of the process; remains the caller's */
    public Overview(QmpClient client) {
        this.client = client;
    }

    /**
     * Each VM, ordered by name. Sizes in bytes.
     *
     * <pre>
     * name, state: "connected", "waiting", "not answering"
     * memory, actual, target, host       as query-vms tells, where it does
     * available, majors                  as the guest's statistics tell, where it gives any
     * plugged, requested, region         of all memory devices together, where there are any
     * migration: direction, status, peer, done, total, rate, time; why   of the last one, where there was one
     * </pre>
     */
    public List<ObjectNode> look() throws IOException {
        // Events are not used here, and would pile up.
        while (client.event(Duration.ZERO) != null) {}
        JsonNode all = client.execute("query-vms", Json.object());
        boolean ask = System.nanoTime() - askedAt >= STATISTICS.toNanos();
        if (ask) {
            askedAt = System.nanoTime();
            statistics.clear();
        }
        List<ObjectNode> vms = new ArrayList<>();
        for (JsonNode vm : all) {
            vms.add(describe(vm, ask));
        }
        for (JsonNode device : client.execute("query-memory-devices", Json.object())) {
            add(vms, device.path("vm").asText(), device);
        }
        return vms;
    }

    private ObjectNode describe(JsonNode vm, boolean ask) throws IOException {
        String name = vm.path("name").asText();
        ObjectNode row = Json.object().put("name", name).put("state", state(vm));
        for (String size : List.of("memory", "actual", "target", "host", "ballooned")) {
            if (vm.has(size)) {
                row.put(size, vm.path(size).asLong());
            }
        }
        if (ask && vm.path("connected").asBoolean() && gives(vm)) {
            statistics.put(name, answer("query-balloon-stats", name).path("stats"));
        }
        JsonNode stats = statistics.getOrDefault(name, Json.object());
        copy(stats, "stat-available-memory", row, "available");
        copy(stats, "stat-total-memory", row, "guest");
        copy(stats, "stat-major-faults", row, "majors");
        JsonNode migration = answer("query-migrate", name);
        if (!migration.isEmpty()) {
            row.set("migration", migration(migration));
        }
        return row;
    }

    /** Copies a statistic that is not negative: 2^64 - 1 means that the guest does not know the value. */
    private static void copy(JsonNode from, String key, ObjectNode to, String as) {
        if (from.path(key).asLong(-1) >= 0) {
            to.put(as, from.path(key).asLong());
        }
    }

    private static boolean gives(JsonNode vm) {
        for (JsonNode feature : vm.path("features")) {
            if (feature.asText().equals("statistics")) {
                return true;
            }
        }
        return false;
    }

    private JsonNode answer(String command, String vm) throws IOException {
        try {
            return client.execute(command, Json.object().put("vm", vm));
        } catch (QmpException e) {
            // The VM was removed meanwhile, its guest has left, or it does not answer.
            return Json.object();
        }
    }

    private static String state(JsonNode vm) {
        if (!vm.path("responding").asBoolean()) {
            return "not answering";
        }
        return vm.path("connected").asBoolean() ? "connected" : "waiting";
    }

    private static ObjectNode migration(JsonNode state) {
        JsonNode ram = state.path("ram");
        long total = ram.path("total").asLong();
        ObjectNode migration = Json.object()
                .put("direction", state.path("direction").asText())
                .put("status", state.path("status").asText())
                .put("peer", state.path("peer").asText())
                .put("total", total)
                .put("done", total - ram.path("remaining").asLong())
                .put("sent", ram.path("transferred").asLong())
                .put("rate", ram.path("bytes-per-second").asLong())
                .put("round", ram.path("dirty-sync-count").asLong())
                .put("time", state.path("total-time").asLong());
        if (state.has("downtime")) {
            migration.put("downtime", state.path("downtime").asLong());
        }
        if (state.has("error-desc")) {
            migration.put("why", state.path("error-desc").asText());
        }
        return migration;
    }

    private static void add(List<ObjectNode> vms, String name, JsonNode device) {
        for (ObjectNode row : vms) {
            if (row.path("name").asText().equals(name)) {
                for (String size : List.of("plugged", "requested", "region-size")) {
                    row.put(size, row.path(size).asLong() + device.path(size).asLong());
                }
            }
        }
    }

    /** True if a migration in a result of {@link #look} is under way. */
    public static boolean isUnderWay(JsonNode migration) {
        return switch (migration.path("status").asText()) {
            case "setup", "active", "device", "reconnecting" -> true;
            default -> false;
        };
    }
}
