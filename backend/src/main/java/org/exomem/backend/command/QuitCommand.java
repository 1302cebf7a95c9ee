package org.exomem.backend.command;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code exomem quit}. */
@Command(
        name = "quit",
        description = "Ends the process that serves. Guests keep the pages that are in their balloons inside them.")
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
