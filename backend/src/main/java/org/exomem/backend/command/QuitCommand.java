package org.exomem.backend.command;

import java.util.concurrent.Callable;
import org.exomem.backend.qmp.Json;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code exomem quit}: exit code 1 while VMMs are attached, unless forced. */
@Command(
        name = "quit",
        description =
                "Ends the process that serves. Refused while a VMM is attached: QEMU does not connect again, so that"
                    + " its VM would keep the memory that it has then, and nobody could resize it. \"exomem detach\""
                    + " takes the devices out of a VM before.")
final class QuitCommand implements Callable<Integer> {
    @Mixin
    private ControlOption control;

    @Option(names = "--force", description = "Ends it also while VMMs are attached.")
    private boolean force;

    @Override
    public Integer call() {
        return control.connect(session -> {
            session.execute("quit", force ? Json.object().put("force", true) : Json.object());
            return ExitCode.OK;
        });
    }
}
