package org.exomem.backend.options;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/** A command with its usage. */
public final class CommandLine {
    /** The options that every command has. */
    private static final List<String> HELP = List.of("-h", "--help");

    private static final List<String> VERSION = List.of("-V", "--version");

    private final Command command;
    private final Usage usage;

    /** @param name as it is typed behind the program's */
    public CommandLine(String name, Command command) {
        this.command = command;
        this.usage = Usage.of(name, command);
    }

    /** True if the arguments ask for help; whatever else they say is not looked at. */
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
     * Parses the arguments, and does what they say.
     *
     * @param arguments without the names of program and command
     * @return the exit code
     * @throws UsageException if they were not understood, or don't go together
     * @throws Exception if the command failed
     */
    public int run(List<String> arguments, Streams streams) throws Exception {
        parse(arguments);
        return command.run(streams);
    }

    private void parse(List<String> arguments) throws UsageException {
        picocli.CommandLine parser = PicocliSpec.parser(usage);
        ParseResult result;
        try {
            result = parser.parseArgs(arguments.toArray(String[]::new));
        } catch (ParameterException e) {
            throw UsageMessages.explain(e, usage, arguments);
        }
        // An option that was given twice is listed twice, each time with all its values.
        for (OptionSpec matched : new LinkedHashSet<>(result.matchedOptions())) {
            Argument.Option option = usage.option(matched.longestName()).orElseThrow();
            for (String value : matched.stringValues()) {
                if (option.label() != null && value.isEmpty()) {
                    throw new UsageException(option.name() + " needs " + option.label() + " after it, which is empty");
                }
                option.setter().set(value);
            }
        }
        for (PositionalParamSpec matched : result.matchedPositionals()) {
            for (String value : matched.stringValues()) {
                Optional<UsageException> unknown = UsageMessages.unknownOption(value, usage, arguments);
                if (unknown.isPresent()) {
                    throw unknown.get();
                }
                usage.parameters().get(matched.index().min()).setter().set(value);
            }
        }
    }

    /** What the command does, in a line. */
    public String summary() {
        return usage.description().getFirst();
    }

    /** The whole help, 80 columns wide. */
    public String help(List<Section> common) {
        return PicocliSpec.help(usage, common);
    }

    /** What it takes, for completion. */
    public List<Argument.Option> options() {
        return usage.options().stream().filter(option -> !option.hidden()).toList();
    }

    /** The values that it takes by their place. */
    public List<Argument.Parameter> parameters() {
        return usage.parameters();
    }
}
