package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import org.exomem.backend.config.ByteSize;
import org.exomem.backend.options.Command;
import org.exomem.backend.options.Streams;
import org.exomem.backend.options.Usage;

/** {@code exomem vms}. */
final class VmsCommand implements Command {
    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();
    private boolean features;
    private boolean memory;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Lists the VMs, or their memory devices.",
                "For each VM: its memory, how much of it the guest uses now, and what was asked for.");
        usage.flag(
                "--features",
                "Shows the features that driver and device agreed on instead of sockets.",
                () -> features = true);
        usage.flag("--memory", "Lists the memory devices of all VMs instead.", () -> memory = true);
        outputOption.describe(usage);
        control.describe(usage);
        usage.section(
                "Columns",
                "  MEMORY      guest memory that the VMM shares",
                "  ACTUAL      what the guest has: memory less its balloon",
                "  TARGET      what was asked for with \"exomem balloon\"",
                "  SOCKET      where the VMM attaches");
        usage.section(
                "Columns of --memory, one line for each device",
                "  NODE        the guest's NUMA node of the device",
                "  ADDRESS     where its range starts in guest memory",
                "  BLOCK       what is plugged or unplugged at once",
                "  SIZE        the size of its range: the most that can be plugged",
                "  REQUESTED   what was asked for with \"exomem mem\"",
                "  PLUGGED     what the guest has of it",
                "  JOB, WHY    how far the last resize is, and why it stands still");
    }

    @Override
    public int run(Streams streams) {
        Output output = outputOption.on(streams);
        if (memory) {
            return control.connect(session -> {
                JsonNode devices = session.execute("query-memory-devices");
                return output.show(devices, () -> MemoryTable.text(devices));
            });
        }
        return control.connect(session -> {
            JsonNode vms = session.execute("query-vms");
            return output.show(vms, () -> table(vms, features));
        });
    }

    private static String table(JsonNode vms, boolean features) {
        Table table = new Table("VM", "STATE", ">MEMORY", ">ACTUAL", ">TARGET", features ? "FEATURES" : "SOCKET");
        for (JsonNode vm : vms) {
            boolean shares = vm.path("memory").asLong() > 0;
            table.add(
                    vm.path("name").asText(),
                    state(vm),
                    shares ? size(vm, "memory") : "-",
                    shares ? size(vm, "actual") : "-",
                    vm.has("target") ? size(vm, "target") : "-",
                    features
                            ? features(vm.path("features"))
                            : vm.path("attachment").asText());
        }
        return table.toString();
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
