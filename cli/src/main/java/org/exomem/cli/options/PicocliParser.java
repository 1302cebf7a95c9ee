package org.exomem.cli.options;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/** Parses any command line with picocli, and explains mistakes. */
final class PicocliParser {
    private PicocliParser() {}

    /**
     * Passes the arguments to the setters of the usage.
     *
     * @throws UsageException with the first mistake
     */
    static void parse(Usage usage, List<String> arguments) throws UsageException {
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
                    throw new UsageException(option.name() + " requires a value, but " + option.label() + " is empty");
                }
                option.setter().set(value);
            }
        }
        for (PositionalParamSpec matched : new LinkedHashSet<>(result.matchedPositionals())) {
            for (String value : matched.stringValues()) {
                Optional<UsageException> unknown = UsageMessages.unknownOption(value, usage, arguments);
                if (unknown.isPresent()) {
                    throw unknown.get();
                }
                Argument.Parameter parameter =
                        usage.parameters().get(matched.index().min());
                if (value.isEmpty()) {
                    throw new UsageException(parameter.label() + " is empty; is a shell variable not set?");
                }
                parameter.setter().set(value);
            }
        }
    }
}
