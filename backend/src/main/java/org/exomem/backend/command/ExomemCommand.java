package org.exomem.backend.command;

import java.io.PrintWriter;
import java.util.Set;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.control.Version;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.ScopeType;

/** The command and its words. */
@Command(
        name = "exomem",
        description = "A virtual machine's memory management, outside the VMM.",
        mixinStandardHelpOptions = true,
        scope = ScopeType.INHERIT,
        versionProvider = ExomemCommand.Versions.class,
        synopsisSubcommandLabel = "COMMAND",
        commandListHeading = "%nCommands:%n",
        optionListHeading = "%nOptions:%n",
        exitCodeListHeading = ExitCode.HELP_HEADING,
        exitCodeList = {
            "0:done",
            "1:tried and refused; the message says why",
            "2:the words were not understood; nothing was tried",
            "3:nobody listens on the control socket, or something that is needed is missing",
            "4:not done in the time given"
        },
        subcommands = {
            ServeCommand.class,
            VmsCommand.class,
            BalloonCommand.class,
            StatsCommand.class,
            HintsCommand.class,
            QuitCommand.class,
            CompletionCommand.class,
        })
public final class ExomemCommand {
    /** The words with which management software calls any vhost-user program, without {@code serve}. */
    private static final Set<String> PROGRAM_CONVENTIONS = Set.of("--socket-path", "--fd", "--print-capabilities");

    /** Runs one command line; returns its exit code. */
    public static int run(String... arguments) {
        return commandLine().execute(withServe(arguments));
    }

    static CommandLine commandLine() {
        CommandLine commandLine = new CommandLine(new ExomemCommand());
        commandLine.setUsageHelpAutoWidth(true);
        commandLine.setCaseInsensitiveEnumValuesAllowed(true);
        commandLine.setExecutionExceptionHandler((e, line, parsed) -> report(e, line));
        return commandLine;
    }

    private static String[] withServe(String[] arguments) {
        if (arguments.length == 0 || !PROGRAM_CONVENTIONS.contains(arguments[0].split("=", 2)[0])) {
            return arguments;
        }
        String[] words = new String[arguments.length + 1];
        words[0] = "serve";
        System.arraycopy(arguments, 0, words, 1, arguments.length);
        return words;
    }

    private static int report(Exception e, CommandLine line) throws Exception {
        PrintWriter err = line.getErr();
        return switch (e) {
            case CommandFailure failure -> {
                err.println("exomem: " + failure.getMessage());
                yield failure.exitCode();
            }
            case ConfigException wrong -> {
                err.println("exomem: " + wrong.getMessage());
                yield ExitCode.USAGE;
            }
            default -> throw e;
        };
    }

    static final class Versions implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"exomem " + Version.current()};
        }
    }
}
