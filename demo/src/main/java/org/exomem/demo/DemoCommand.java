package org.exomem.demo;

import java.io.IOException;
import java.util.concurrent.Callable;
import org.exomem.backend.command.CommandFailure;
import org.exomem.backend.command.ExitCode;
import org.exomem.backend.qmp.QmpException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code exomem demo}. */
@Command(
        name = "demo",
        description =
                "Shows the whole life of a guest with a balloon and a memory device in a few seconds, without a VMM: a "
                        + "process that serves, and a guest in another process, with real memory, sockets and rings. At "
                        + "the end a guest with a small VMM of its own migrates to a second process that serves, without "
                        + "its hints of free pages, and back, with them.")
public final class DemoCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Option(
            names = "--in-this-process",
            hidden = true,
            description = "Serves from this process; the launcher trains the AOT cache with it.")
    private boolean inThisProcess;

    @Override
    public Integer call() {
        try {
            Demo.run(spec.commandLine().getOut(), inThisProcess);
            return ExitCode.OK;
        } catch (IOException | QmpException e) {
            throw new CommandFailure(ExitCode.FAILED, "the demo failed: " + e.getMessage());
        }
    }
}
