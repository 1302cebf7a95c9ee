package org.exomem.backend.command;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code exomem quit}. */
@Command(
        name = "quit",
        description =
                "Ends the process that serves. VMs run on with the memory that they have; what is in their balloons "
                        + "stays there. QEMU does not connect again: take the balloon out with device_del before.")
final class QuitCommand implements Callable<Integer> {
    @Mixin
    private ControlOption control;

    @Override
    public Integer call() {
        return control.connect(session -> {
            session.execute("quit");
            return ExitCode.OK;
        });
    }
}
