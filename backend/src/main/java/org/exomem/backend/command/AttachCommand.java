package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import org.exomem.cli.options.Usage;

/** {@code exomem attach}. */
final class AttachCommand extends ReplugCommand {
    AttachCommand() {
        super("vm-attach", "attached");
    }

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Puts the devices back into a running VM that \"exomem detach\" has taken out.",
                "Each is remembered in a file beside its socket, SOCKET.detached, until it is back. The VM's balloon"
                        + " gets the size that was asked for before, unless another one was asked for since.");
        describeCommon(usage);
    }

    @Override
    boolean isFor(JsonNode known) {
        return known.path("responding").asBoolean();
    }

    @Override
    String nothing(String name) {
        return "VM \"" + name + "\" has no device that \"exomem detach\" has taken out";
    }
}
