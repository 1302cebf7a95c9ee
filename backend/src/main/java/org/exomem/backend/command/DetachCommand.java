package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import org.exomem.cli.options.Usage;

/** {@code exomem detach}. */
final class DetachCommand extends ReplugCommand {
    private boolean quit;

    DetachCommand() {
        super("vm-detach", "detached");
    }

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Takes the devices of a running VM out of its VMM, so that exomem can end.",
                "QEMU does not connect again to an exomem that has gone. The guest gets back what its balloon holds. A"
                        + " VM with memory plugged is refused: \"exomem mem VM 0 --wait\" gives that back. \"exomem"
                        + " attach\" puts the devices back, also after exomem was started anew. The VMM must be QEMU, its"
                        + " QMP socket named by vmm-qmp=, and each device have an id and a root port.");
        describeCommon(usage);
        usage.flag(
                "--quit",
                "Then ends the process that serves, unless a device could not be taken out or another VMM is attached.",
                () -> quit = true);
        usage.section(
                "To update exomem under running VMs",
                "  exomem detach --all --quit",
                "  exomem serve --config FILE &      (the new one)",
                "  exomem attach --all");
    }

    @Override
    boolean isFor(JsonNode known) {
        return known.path("connected").asBoolean() || !known.path("responding").asBoolean();
    }

    @Override
    void finish(ControlOption.Session session) throws IOException {
        if (quit) {
            session.execute("quit");
        }
    }

    @Override
    String nothing(String name) {
        return "VM \"" + name + "\" has no device in its VMM that exomem serves";
    }
}
