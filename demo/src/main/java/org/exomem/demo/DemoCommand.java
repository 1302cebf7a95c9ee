package org.exomem.demo;

import java.io.IOException;
import java.nio.file.Path;
import org.exomem.backend.qmp.QmpException;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.jspecify.annotations.Nullable;

/** {@code exomem demo}. */
public final class DemoCommand implements Command {
    static final String COMMAND_SERIES = "--command-series";

    private boolean inThisProcess;
    private boolean trainWhole;
    private @Nullable String commandCache;
    private @Nullable String seriesControl;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Demonstrates a guest with a balloon and a memory device, without a VMM.",
                "A serving process and a guest in another process use real memory, sockets and rings. At the end a"
                        + " guest with its own small VMM migrates to a second serving process, without a request for"
                        + " its free pages, and back, with a bitmap of them. Then it becomes a template, from which"
                        + " clones run. The demo takes some seconds.");
        // The launcher and the package use these to train their AOT caches.
        usage.hiddenFlag("--in-this-process", () -> inThisProcess = true);
        usage.hiddenFlag("--train", () -> trainWhole = true);
        usage.hiddenOption("--train-commands", value -> commandCache = value);
        usage.hiddenOption(COMMAND_SERIES, value -> seriesControl = value);
    }

    @Override
    public int run(Streams streams) {
        try {
            if (seriesControl != null) {
                CommandSeries.run(seriesControl, streams);
            } else if (trainWhole) {
                WholeTraining.run(streams);
            } else if (commandCache != null) {
                CommandTraining.run(Path.of(commandCache));
            } else {
                Demo.run(streams.out(), inThisProcess);
            }
            return ExitCode.OK;
        } catch (IOException | QmpException e) {
            throw new CommandFailure(ExitCode.FAILED, "the demo failed: " + e.getMessage());
        }
    }
}
