package org.exomem.conform.command;

import java.util.List;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.CommandLine;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.UsageException;

/** The conformance runner as a program: {@code exomem conform} without the rest of exomem. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        Streams streams = Streams.ofProcess();
        Runtime.getRuntime().halt(streams.end(run(List.of(arguments), streams)));
    }

    private static int run(List<String> arguments, Streams streams) {
        CommandLine line = new CommandLine("conform", new ConformCommand());
        if (arguments.isEmpty() || CommandLine.asksForHelp(arguments)) {
            streams.out().print(line.help(List.of(ExitCode.HELP)));
            return arguments.isEmpty() ? ExitCode.USAGE : ExitCode.OK;
        }
        try {
            return line.run(arguments, streams);
        } catch (UsageException e) {
            streams.note(String.valueOf(e.getMessage()));
            return ExitCode.USAGE;
        } catch (CommandFailure e) {
            streams.note(String.valueOf(e.getMessage()));
            return e.exitCode();
        } catch (Exception e) {
            streams.err().println("exomem: internal error of exomem, please report it:");
            e.printStackTrace(streams.err());
            return ExitCode.FAILED;
        }
    }
}
