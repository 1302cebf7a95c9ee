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
                "Unplugs the devices of a running VM from its VMM, so that exomem can end.",
                "QEMU does not reconnect after exomem has ended. The guest gets back the memory in its balloon."
                        + " Refuses a VM with plugged memory: unplug it first with \"exomem mem VM 0 --wait\"."
                        + " \"exomem attach\" plugs the devices in again, also after a restart of exomem. The VMM"
                        + " must be QEMU, vmm-qmp= must name its QMP socket, and each device needs an id and a root"
                        + " port.");
        describeCommon(usage);
        usage.flag(
                "--quit",
                "Then ends the serving process, unless a device could not be unplugged or another VMM is attached.",
                () -> quit = true);
        usage.section(
                "To update exomem under running VMs",
                "  exomem detach --all --quit",
                "  exomem serve --config FILE &      (the new version)",
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
