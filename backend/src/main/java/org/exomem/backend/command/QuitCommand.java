package org.exomem.backend.command;

import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;

/** {@code exomem quit}: exit code 1 while VMMs are attached, unless forced. */
final class QuitCommand implements Command {
    private final ControlOption control = new ControlOption();
    private boolean force;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Ends the serving process.",
                "Refused while a VMM is attached: QEMU does not reconnect, so its VM would keep its current size and"
                        + " could not be resized. Run \"exomem detach\" first to unplug the devices from a VM.");
        usage.flag("--force", "Ends it even while VMMs are attached.", () -> force = true);
        control.describe(usage);
    }

    @Override
    public int run(Streams streams) {
        return control.connect(session -> {
            session.execute("quit", force ? Json.object().put("force", true) : Json.object());
            return ExitCode.OK;
        });
    }
}
