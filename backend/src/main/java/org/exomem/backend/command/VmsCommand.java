package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.concurrent.Callable;
import org.exomem.backend.config.ByteSize;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code exomem vms}. */
@Command(
        name = "vms",
        description =
                "Lists the VMs: their memory, what they use of it now, and what was asked for. Or their memory devices.",
        footerHeading = "%nColumns:%n",
        footer = {
            "  MEMORY   what the VMM shares of the guest's memory",
            "  ACTUAL   what the guest has left: memory less its balloon",
            "  TARGET   what was asked for with \"exomem balloon\"",
            "  SOCKET   where the VMM attaches",
            "With --memory, one line for each memory device:",
            "  NODE       the guest's NUMA node that it belongs to",
            "  ADDRESS, SIZE  its range of guest memory; the most that can be plugged",
            "  BLOCK      what is plugged or unplugged at once",
            "  REQUESTED  what was asked for with \"exomem mem\"",
            "  PLUGGED    what the guest has of it",
            "  JOB, WHY   how far the last resize is, and why it stands still",
        })
final class VmsCommand implements Callable<Integer> {
    @Mixin
    private ControlOption control;

    @Mixin
    private Output output;

    @Option(
            names = "--features",
            description = "Shows the features that driver and device agreed on instead of sockets.")
    private boolean features;

    @Option(names = "--memory", description = "Lists the memory devices of all VMs instead.")
    private boolean memory;

    @Override
    public Integer call() {
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
