package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.jspecify.annotations.Nullable;

/** {@code exomem reset}. */
final class ResetCommand implements Command {
    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();
    private String vm = "";
    private @Nullable String device;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Unplugs all memory of a VM's memory devices, like a reset of the machine.",
                "A VMM can't tell a back-end that it reset the machine. A Linux guest unplugs leftover memory itself"
                        + " when it boots. Use this for other guests, and for a VM that starts again. Never use it"
                        + " while a guest with plugged memory runs: the guest would lose the contents of that"
                        + " memory.");
        usage.parameter("VM", "The VM's name.", Completion.VM, value -> vm = value);
        usage.optionalParameter(
                "DEVICE", "The device's id (default: all devices).", Completion.DEVICE, value -> device = value);
        outputOption.describe(usage);
        control.describe(usage);
        usage.section(
                "Examples",
                "  exomem reset web          all memory devices of the VM",
                "  exomem reset web m1       one of them");
    }

    @Override
    public int run(Streams streams) {
        Output output = outputOption.on(streams);
        return control.connect(session -> {
            ObjectNode about = Json.object().put("vm", vm);
            if (device != null) {
                about.put("id", device);
            }
            session.execute("mem-reset", about);
            JsonNode shown = MemoryTable.of(session, vm, device);
            return output.show(shown, () -> MemoryTable.text(shown));
        });
    }
}
