package org.exomem.backend.command;

import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.control.Version;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.UnmatchedArgumentException;

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
        })
public final class ExomemCommand {
    /** The words with which management software calls any vhost-user program, without {@code serve}. */
    private static final Set<String> PROGRAM_CONVENTIONS = Set.of("--socket-path", "--fd", "--print-capabilities");

    private final Map<String, Supplier<Object>> commands = new LinkedHashMap<>();

    /** The command with all subcommands of the back-end. */
    public ExomemCommand() {
        commands.put("serve", ServeCommand::new);
        commands.put("vms", VmsCommand::new);
        commands.put("balloon", BalloonCommand::new);
        commands.put("mem", MemCommand::new);
        commands.put("reset", ResetCommand::new);
        commands.put("stats", StatsCommand::new);
        commands.put("hints", HintsCommand::new);
        commands.put("migrate", MigrateCommand::new);
        commands.put("receive", ReceiveCommand::new);
        commands.put("pki", PkiCommand::new);
        commands.put("add", AddCommand::new);
        commands.put("remove", RemoveCommand::new);
        commands.put("quit", QuitCommand::new);
        commands.put("completion", () -> new CompletionCommand(this));
    }

    /** Adds a subcommand that is not the back-end's own; returns this. */
    public ExomemCommand with(String name, Supplier<Object> command) {
        commands.put(name, command);
        return this;
    }

    /** Runs one command line; returns its exit code. */
    public int run(String... arguments) {
        String[] words = withHelp(withServe(arguments));
        Optional<ServeCommand> serve = ServeFastPath.parse(words);
        if (serve.isPresent()) {
            return run(serve.get());
        }
        return commandLine(words.length == 0 ? "" : words[0]).execute(words);
    }

    private static int run(ServeCommand serve) {
        try {
            return serve.call();
        } catch (Exception e) {
            return report(e, new PrintWriter(System.err, true));
        }
    }

    /**
     * The command line with that one command, or with all if there is none of that name. Picocli spends most of a start on
     * the commands that it has to know.
     */
    CommandLine commandLine(String word) {
        CommandLine commandLine = new CommandLine(this);
        commands.forEach((name, command) -> {
            if (name.equals(word) || !commands.containsKey(word)) {
                commandLine.addSubcommand(name, command.get());
            }
        });
        commandLine.setUsageHelpAutoWidth(true);
        commandLine.setCaseInsensitiveEnumValuesAllowed(true);
        // A word that begins with @ is a name, not a file with more words.
        commandLine.setExpandAtFiles(false);
        if (commandLine.getSubcommands().get("balloon") instanceof CommandLine balloon) {
            // A size may begin with a minus.
            balloon.setUnmatchedOptionsArePositionalParams(true);
        }
        commandLine.setParameterExceptionHandler((e, words) -> explain(e));
        commandLine.setExecutionExceptionHandler((e, line, parsed) -> report(e, line.getErr()));
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

    /** {@code help} and {@code help COMMAND}, which people try. */
    private static String[] withHelp(String[] arguments) {
        if (arguments.length == 0 || !arguments[0].equals("help")) {
            return arguments;
        }
        return arguments.length == 1 ? new String[] {"--help"} : new String[] {arguments[1], "--help"};
    }

    /** One line that says what was not understood; a screen full of help would hide it. */
    private int explain(ParameterException e) {
        CommandLine command = e.getCommandLine();
        String name = command.getCommandSpec().qualifiedName();
        PrintWriter err = command.getErr();
        if (command.getParent() == null
                && e instanceof UnmatchedArgumentException unmatched
                && !unmatched.isUnknownOption()) {
            err.println("exomem: there is no command \""
                    + unmatched.getUnmatched().getFirst() + "\"; there are " + String.join(", ", commands.keySet()));
        } else {
            err.println("exomem: " + Misunderstood.words(e));
        }
        err.println("\"" + name + " --help\" explains.");
        return ExitCode.USAGE;
    }

    private static int report(Exception e, PrintWriter err) {
        return switch (e) {
            case CommandFailure failure -> {
                err.println("exomem: " + failure.getMessage());
                yield failure.exitCode();
            }
            case ConfigException wrong -> {
                err.println("exomem: " + wrong.getMessage());
                yield ExitCode.USAGE;
            }
            default -> {
                err.println("exomem: a fault of exomem itself, please report it:");
                e.printStackTrace(err);
                yield ExitCode.FAILED;
            }
        };
    }

    static final class Versions implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"exomem " + Version.current()};
        }
    }
}
