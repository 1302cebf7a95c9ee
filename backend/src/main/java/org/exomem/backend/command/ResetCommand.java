package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.concurrent.Callable;
import org.exomem.backend.qmp.Json;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code exomem reset}. */
@Command(
        name = "reset",
        description = {
            "Unplugs everything of a VM's memory devices, as a reset of the whole machine does.",
            "",
            "A VMM can't tell a back-end that it reset the machine. A Linux guest unplugs what is left by itself when "
                    + "it boots, so this is for other guests, and for a VM that starts anew. Never use it while a guest "
                    + "runs that has memory plugged: it would lose what is in it."
        },
        footerHeading = "%nExamples:%n",
        footer = {"  exomem reset web          all memory devices of the VM", "  exomem reset web m1       one of them"
        })
final class ResetCommand implements Callable<Integer> {
    @Mixin
    private ControlOption control;

    @Mixin
    private Output output;

    @Parameters(index = "0", paramLabel = "VM", description = "The VM's name.")
    private String vm;

    @Parameters(index = "1", arity = "0..1", paramLabel = "DEVICE", description = "The device's id; all if left out.")
    private @Nullable String device;

    @Override
    public Integer call() {
        return control.connect(session -> {
            ObjectNode about = Json.object().put("vm", vm);
            if (device != null) {
                about.put("id", device);
            }
            session.execute("mem-reset", about);
            JsonNode shown = MemoryTable.of(session.execute("query-memory-devices"), vm, device);
            return output.show(shown, () -> MemoryTable.text(shown));
        });
    }
}
