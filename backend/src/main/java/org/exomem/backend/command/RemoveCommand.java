package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.concurrent.Callable;
import org.exomem.backend.qmp.Json;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code exomem remove}. */
@Command(
        name = "remove",
        description =
                "Serves a VM, or one of its devices, no more: at once where no VMM is attached, otherwise as soon as it"
                        + " has left. State files stay. A VM of the --config file comes back when that is read again.")
final class RemoveCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private ControlOption control;

    @Parameters(index = "0", paramLabel = "VM", description = "The VM.")
    private String vm;

    @Parameters(
            index = "1",
            arity = "0..1",
            paramLabel = "DEVICE",
            description = "Only this device: \"balloon\", or the id of a memory device. Default: all of the VM.")
    private @Nullable String device;

    @Override
    public Integer call() {
        ObjectNode arguments = Json.object().put("vm", vm);
        if (device != null) {
            arguments.put("device", device);
        }
        return control.connect(session -> {
            for (JsonNode kept : session.execute("vm-remove", arguments).path("kept")) {
                spec.commandLine()
                        .getOut()
                        .println(kept.path("vm").asText() + " "
                                + kept.path("device").asText() + ": served until then: "
                                + kept.path("reason").asText());
            }
            return ExitCode.OK;
        });
    }
}
