package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.jspecify.annotations.Nullable;

/** {@code exomem remove}. */
final class RemoveCommand implements Command {
    private final ControlOption control = new ControlOption();
    private String vm = "";
    private @Nullable String device;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Stops serving a VM, or one of its devices.",
                "Stops at once if no VMM is attached, otherwise when the VMM disconnects. Keeps state files. A VM of"
                        + " the --config file is served again when exomem reads the file again.");
        usage.parameter("VM", "The VM's name.", Completion.VM, value -> vm = value);
        usage.optionalParameter(
                "DEVICE",
                "Only this device: \"balloon\", or the id of a memory device (default: all of the VM).",
                Completion.DEVICE,
                value -> device = value);
        control.describe(usage);
    }

    @Override
    public int run(Streams streams) {
        ObjectNode arguments = Json.object().put("vm", vm);
        if (device != null) {
            arguments.put("device", device);
        }
        return control.connect(session -> {
            for (JsonNode kept : session.execute("vm-remove", arguments).path("kept")) {
                streams.note(
                        kept.path("vm").asText() + " " + kept.path("device").asText() + ": still served: "
                                + kept.path("reason").asText());
            }
            return ExitCode.OK;
        });
    }
}
