package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.exomem.backend.config.ByteSize;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.exomem.cli.text.Table;

/** {@code exomem vms}. */
final class VmsCommand implements Command {
    private static final double NANOS_PER_MS = 1e6;

    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();
    private boolean features;
    private boolean memory;
    private boolean active;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Lists the VMs, or their memory devices.",
                "Shows for each VM its memory, its current size and the requested size.");
        usage.flag("--features", "Shows the negotiated features instead of sockets.", () -> features = true);
        usage.flag("--memory", "Lists the memory devices of all VMs instead.", () -> memory = true);
        usage.flag(
                "--active",
                "Shows how much memory each guest writes instead of sockets, for VMs with vmm-active=SECONDS.",
                () -> active = true);
        outputOption.describe(usage);
        control.describe(usage);
        usage.section(
                "Columns",
                "  MEMORY      guest memory that the VMM shares",
                "  ACTUAL      the guest's size: its memory minus its balloon",
                "  TARGET      the size requested with \"exomem balloon\"",
                "  SOCKET      where the VMM attaches");
        usage.section(
                "Columns of --active",
                "  EVERY       the interval between two estimates",
                "  WRITTEN     memory that the guest wrote in the last interval",
                "  ESTIMATE    the most that it wrote in one of the last 6 intervals",
                "  SCAN        how long the last estimate took",
                "  WHY         why there is no estimate");
        usage.section(
                "Columns of --memory, one line for each device",
                "  NODE        the guest's NUMA node of the device",
                "  ADDRESS     where its range starts in guest memory",
                "  BLOCK       the unit of plugging and unplugging",
                "  SIZE        the size of its range: the most that can be plugged",
                "  REQUESTED   the size requested with \"exomem mem\"",
                "  PLUGGED     how much of it is plugged",
                "  JOB, WHY    the progress of the last resize, and why it is stalled",
                "  GUARD       whether unplugged memory is guarded, and if not, why");
    }

    @Override
    public int run(Streams streams) throws UsageException {
        if (memory && (features || active)) {
            throw new UsageException("--memory excludes --features and --active");
        }
        Output output = outputOption.on(streams);
        if (memory) {
            return control.connect(session -> {
                JsonNode devices = session.execute("query-memory-devices");
                return output.show(devices, () -> MemoryTable.text(devices));
            });
        }
        return control.connect(session -> {
            JsonNode vms = session.execute("query-vms");
            return output.show(vms, () -> table(vms, features, active));
        });
    }

    private static String table(JsonNode vms, boolean features, boolean active) {
        List<String> columns = new ArrayList<>(List.of("VM", "STATE", ">MEMORY", ">ACTUAL", ">TARGET"));
        if (active) {
            columns.addAll(List.of(">EVERY", ">WRITTEN", ">ESTIMATE", ">SCAN", "WHY"));
        }
        if (features) {
            columns.add("FEATURES");
        } else if (!active) {
            columns.add("SOCKET");
        }
        Table table = new Table(columns.toArray(String[]::new));
        for (JsonNode vm : vms) {
            boolean shares = vm.path("memory").asLong() > 0;
            List<String> row = new ArrayList<>(List.of(
                    vm.path("name").asText(),
                    state(vm),
                    shares ? size(vm, "memory") : "-",
                    shares ? size(vm, "actual") : "-",
                    vm.has("target") ? size(vm, "target") : "-"));
            if (active) {
                row.addAll(active(vm.path("active")));
            }
            if (features) {
                row.add(features(vm.path("features")));
            } else if (!active) {
                row.add(vm.path("attachment").asText());
            }
            table.add(row.toArray(String[]::new));
        }
        return table.toString();
    }

    private static List<String> active(JsonNode active) {
        if (active.isMissingNode()) {
            return List.of("-", "-", "-", "-", "-");
        }
        String every = active.path("interval").asText() + " s";
        return active.has("bytes")
                ? List.of(
                        every,
                        size(active, "bytes"),
                        size(active, "estimate"),
                        String.format(
                                Locale.ROOT, "%.1f ms", active.path("last-ns").asLong() / NANOS_PER_MS),
                        "-")
                : List.of(every, "-", "-", "-", active.path("reason").asText());
    }

    private static String state(JsonNode vm) {
        if (!vm.path("responding").asBoolean()) {
            return "not answering";
        }
        return vm.path("connected").asBoolean() ? "connected" : "waiting";
    }

    private static String size(JsonNode vm, String key) {
        return ByteSize.format(vm.path(key).asLong());
    }

    private static String features(JsonNode features) {
        StringBuilder names = new StringBuilder();
        for (JsonNode feature : features) {
            names.append(names.isEmpty() ? "" : ",").append(feature.asText());
        }
        return names.isEmpty() ? "-" : names.toString();
    }
}
