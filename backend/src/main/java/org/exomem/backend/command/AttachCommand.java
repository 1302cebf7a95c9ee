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
                "Plugs the devices that \"exomem detach\" unplugged back into a running VM.",
                "A file next to the device's socket, SOCKET.detached, describes each device until it is plugged in"
                        + " again. The VM's balloon gets the size that was requested before, unless another one was"
                        + " requested since.");
        describeCommon(usage);
    }

    @Override
    boolean isFor(JsonNode known) {
        return known.path("responding").asBoolean();
    }

    @Override
    String nothing(String name) {
        return "VM \"" + name + "\" has no device that \"exomem detach\" unplugged";
    }
}
