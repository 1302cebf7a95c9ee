package org.exomem.demo;

import java.io.IOException;
import org.exomem.backend.command.CommandFailure;
import org.exomem.backend.command.ExitCode;
import org.exomem.backend.options.Command;
import org.exomem.backend.options.Streams;
import org.exomem.backend.options.Usage;
import org.exomem.backend.qmp.QmpException;

/** {@code exomem demo}. */
public final class DemoCommand implements Command {
    private boolean inThisProcess;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Shows the life of a guest with a balloon and a memory device, without a VMM.",
                "A process serves, a guest in another process drives its devices, with real memory, sockets and rings."
                        + " At the end a guest with a small VMM of its own migrates to a second process that serves,"
                        + " without hints of free pages, and back, with hints. It takes some seconds.");
        // The launcher trains the AOT cache with it.
        usage.hiddenFlag("--in-this-process", () -> inThisProcess = true);
    }

    @Override
    public int run(Streams streams) {
        try {
            Demo.run(streams.out(), inThisProcess);
            return ExitCode.OK;
        } catch (IOException | QmpException e) {
            throw new CommandFailure(ExitCode.FAILED, "the demo failed: " + e.getMessage());
        }
    }
}
