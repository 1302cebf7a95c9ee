package org.exomem.backend.command;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Supplier;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.control.Version;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.CommandLine;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.ManPage;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.UsageException;
import org.exomem.cli.text.VisibleText;
import org.jspecify.annotations.Nullable;

/** The program: its commands by name, and the messages for their failures. */
public final class ExomemCommand {
    /** The options with which management software starts any vhost-user program, without {@code serve}. */
    /** VHU-PRG-1 */
    private static final Set<String> PROGRAM_CONVENTIONS = Set.of("--socket-path", "--fd", "--print-capabilities");

    private final Map<String, Supplier<Command>> commands = new LinkedHashMap<>();

    /** The program with all commands of the back-end. */
    public ExomemCommand() {
        commands.put("serve", ServeCommand::new);
        commands.put("vms", VmsCommand::new);
        commands.put("balloon", BalloonCommand::new);
        commands.put("mem", MemCommand::new);
        commands.put("reset", ResetCommand::new);
        commands.put("stats", StatsCommand::new);
        commands.put("hints", HintsCommand::new);
        commands.put("free-pages", FreePagesCommand::new);
        commands.put("migrate", MigrateCommand::new);
        commands.put("receive", ReceiveCommand::new);
        commands.put("update-vmm", UpdateVmmCommand::new);
        commands.put("vm command", VmCommandCommand::new);
        commands.put("ram create", RamCreateCommand::new);
        commands.put("ram list", RamListCommand::new);
        commands.put("ram check", RamCheckCommand::new);
        commands.put("ram remove", RamRemoveCommand::new);
        commands.put("save", SaveCommand::new);
        commands.put("restore", RestoreCommand::new);
        commands.put("top", TopCommand::new);
        commands.put("ui", UiCommand::new);
        commands.put("pagers", PagersCommand::new);
        commands.put("template key", TemplateKeyCommand::new);
        commands.put("template create", TemplateCreateCommand::new);
        commands.put("template list", TemplateListCommand::new);
        commands.put("template check", TemplateCheckCommand::new);
        commands.put("template remove", TemplateRemoveCommand::new);
        commands.put("clone", CloneCommand::new);
        commands.put("add", AddCommand::new);
        commands.put("remove", RemoveCommand::new);
        commands.put("detach", DetachCommand::new);
        commands.put("attach", AttachCommand::new);
        commands.put("health", HealthCommand::new);
        commands.put("events", EventsCommand::new);
        commands.put("check", CheckCommand::new);
        commands.put("pki init", PkiInitCommand::new);
        commands.put("quit", QuitCommand::new);
        commands.put("spec", SpecCommand::new);
        commands.put("completion", () -> new CompletionCommand(this::commandLines));
    }

    /** Adds a command that is not the back-end's own; returns this. */
    public ExomemCommand with(String name, Supplier<Command> command) {
        commands.put(name, command);
        return this;
    }

    /**
     * Ends this process. Not by {@code System.exit}, which logs: the JDK would search every jar for a logging provider, and
     * that takes longer than most commands. Shutdown hooks are for signals only, and do not run.
     */
    public static void exit(int code) {
        Runtime.getRuntime().halt(code);
    }

    /** Runs one command line of this process; returns its exit code. */
    public int run(String... arguments) {
        return run(Streams.ofProcess(), arguments);
    }

    /** Runs one command line; returns its exit code. */
    public int run(Streams streams, String... arguments) {
        return streams.end(runWords(streams, withHelp(withServe(Arrays.asList(arguments)))));
    }

    private int runWords(Streams streams, List<String> words) {
        String name = commandOf(words);
        if (name == null) {
            return runWithoutCommand(streams, words);
        }
        List<String> arguments = words.subList(name.split(" ", -1).length, words.size());
        CommandLine line = commandLine(name);
        if (CommandLine.asksForHelp(arguments)) {
            streams.out().print(line.help(List.of(ExitCode.HELP)));
            return ExitCode.OK;
        }
        if (CommandLine.asksForVersion(arguments)) {
            return version(streams);
        }
        try {
            return line.run(arguments, streams);
        } catch (UsageException | ConfigException e) {
            streams.note(String.valueOf(e.getMessage()));
            streams.err().println("See \"exomem " + name + " --help\".");
            return ExitCode.USAGE;
        } catch (Exception e) {
            return report(e, streams.err());
        }
    }

    /** The longest name of a command with which the words begin; null if there is none. */
    private @Nullable String commandOf(List<String> words) {
        for (int count = Math.min(2, words.size()); count > 0; count--) {
            String name = String.join(" ", words.subList(0, count));
            if (commands.containsKey(name)) {
                return name;
            }
        }
        return null;
    }

    private int runWithoutCommand(Streams streams, List<String> words) {
        if (words.isEmpty()) {
            streams.err().print(help());
            streams.err().flush();
            return ExitCode.USAGE;
        }
        String first = words.getFirst();
        List<String> group = commands.keySet().stream()
                .filter(name -> name.startsWith(first + " "))
                .toList();
        if (CommandLine.asksForHelp(words)) {
            streams.out().print(group.isEmpty() ? help() : ProgramHelp.ofGroup(first, summaries(group)));
            return ExitCode.OK;
        }
        if (CommandLine.asksForVersion(words)) {
            return version(streams);
        }
        if (!group.isEmpty()) {
            String names = String.join(", ", group);
            streams.note(
                    words.size() == 1
                            ? "\"" + first + "\" requires a subcommand: " + names
                            : "there is no command \"" + first + " " + words.get(1) + "\"; the commands are " + names);
            streams.err().println("See \"exomem " + first + " --help\".");
            return ExitCode.USAGE;
        } else if (first.startsWith("-")) {
            streams.note("there is no option \"" + first + "\" before a command");
        } else {
            List<String> firsts = commands.keySet().stream()
                    .map(name -> name.split(" ", 2)[0])
                    .distinct()
                    .toList();
            streams.note("there is no command \"" + first + "\"; the commands are " + String.join(", ", firsts));
        }
        streams.err().println("See \"exomem --help\".");
        return ExitCode.USAGE;
    }

    private static int version(Streams streams) {
        streams.out().println("exomem " + Version.current());
        return ExitCode.OK;
    }

    private String help() {
        return ProgramHelp.text(summaries(commands.keySet()));
    }

    /** What each of the commands does, in a line. */
    private Map<String, String> summaries(Collection<String> names) {
        Map<String, String> summaries = new LinkedHashMap<>();
        names.forEach(name -> summaries.put(name, commandLine(name).summary()));
        return summaries;
    }

    /**
     * Returns the manual pages of the program and of all commands, by page name.
     *
     * @param date for the foot of the pages
     */
    public Map<String, String> manPages(String date) {
        ManPage.Book book = new ManPage.Book("exomem", date, Version.current().toString());
        Map<String, CommandLine> lines = commandLines();
        Map<String, String> summaries = summaries(lines.keySet());
        Map<String, String> pages = new LinkedHashMap<>();
        pages.put("exomem", ManPage.of(book, ProgramHelp.ABOUT, summaries, ProgramHelp.sections()));
        lines.forEach((name, line) -> pages.put(book.name(name), line.manPage(book, List.of(ExitCode.HELP))));
        return pages;
    }

    private CommandLine commandLine(String name) {
        return new CommandLine(name, Objects.requireNonNull(commands.get(name)).get());
    }

    private Map<String, CommandLine> commandLines() {
        Map<String, CommandLine> lines = new LinkedHashMap<>();
        commands.keySet().forEach(name -> lines.put(name, commandLine(name)));
        return lines;
    }

    private static List<String> withServe(List<String> arguments) {
        if (arguments.isEmpty()
                || !PROGRAM_CONVENTIONS.contains(arguments.getFirst().split("=", 2)[0])) {
            return arguments;
        }
        List<String> words = new ArrayList<>(arguments);
        words.addFirst("serve");
        return words;
    }

    /** Also accepts {@code help} and {@code help COMMAND}, which users try. */
    private static List<String> withHelp(List<String> arguments) {
        if (arguments.isEmpty() || !arguments.getFirst().equals("help")) {
            return arguments;
        }
        List<String> words = new ArrayList<>(arguments.subList(1, arguments.size()));
        words.add("--help");
        return words;
    }

    private static int report(Exception e, PrintWriter err) {
        if (e instanceof CommandFailure failure) {
            err.println("exomem: " + VisibleText.lines(String.valueOf(failure.getMessage())));
            return failure.exitCode();
        }
        err.println("exomem: internal error, please report it:");
        e.printStackTrace(err);
        return ExitCode.FAILED;
    }
}
