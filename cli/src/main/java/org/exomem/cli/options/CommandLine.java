package org.exomem.cli.options;

import java.util.List;

/** A command with its usage. */
public final class CommandLine {
    /** The options that every command has. */
    private static final List<String> HELP = List.of("-h", "--help");

    private static final List<String> VERSION = List.of("-V", "--version");

    private final Command command;
    private final Usage usage;

    /** @param name as typed after the program's */
    public CommandLine(String name, Command command) {
        this.command = command;
        this.usage = Usage.of(name, command);
    }

    /** True if the arguments ask for help. All other arguments are then ignored. */
    public static boolean asksForHelp(List<String> arguments) {
        return hasOption(arguments, HELP);
    }

    /** True if the arguments ask for the version. */
    public static boolean asksForVersion(List<String> arguments) {
        return hasOption(arguments, VERSION);
    }

    private static boolean hasOption(List<String> arguments, List<String> names) {
        int end = arguments.indexOf("--");
        return arguments.subList(0, end < 0 ? arguments.size() : end).stream().anyMatch(names::contains);
    }

    /**
     * Parses the arguments, and runs the command.
     *
     * @param arguments without the names of program and command
     * @return the exit code
     * @throws UsageException if they are invalid, or contradict each other
     * @throws Exception if the command failed
     */
    public int run(List<String> arguments, Streams streams) throws Exception {
        if (!PlainArguments.take(usage, arguments)) {
            PicocliParser.parse(usage, arguments);
        }
        return command.run(streams);
    }

    /** What the command does, in one line. */
    public String summary() {
        return usage.description().getFirst();
    }

    /** The whole help, 80 columns wide. */
    public String help(List<Section> common) {
        return PicocliSpec.help(usage, common);
    }

    /** Its manual page. */
    public String manPage(ManPage.Book book, List<Section> common) {
        return ManPage.of(book, usage, common);
    }

    /** The options, for completion. */
    public List<Argument.Option> options() {
        return usage.options().stream().filter(option -> !option.hidden()).toList();
    }

    /** The parameters, for completion. */
    public List<Argument.Parameter> parameters() {
        return usage.parameters();
    }
}
