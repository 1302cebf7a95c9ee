package org.exomem.cli.options;

import java.util.List;
import java.util.Optional;
import org.exomem.cli.text.Similar;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.OverwrittenOptionException;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Explains mistakes in a command line to the user. */
final class UsageMessages {
    private UsageMessages() {}

    /** Explains the parser's exception. */
    static UsageException explain(ParameterException e, Usage usage, List<String> arguments) {
        for (String argument : arguments) {
            // Reported first, because an unknown option often causes the later mistakes.
            Optional<UsageException> unknown = unknownOption(argument, usage, arguments);
            if (unknown.isPresent()) {
                return unknown.get();
            }
        }
        return new UsageException(
                switch (e) {
                    case MissingParameterException missing -> missing(missing.getMissing(), arguments);
                    case OverwrittenOptionException twice -> name(twice.getOverwritten()) + " is given more than once";
                    case UnmatchedArgumentException unmatched ->
                        tooMany(unmatched.getUnmatched().getFirst(), arguments);
                    default -> flagWithValue(usage, arguments).orElse(String.valueOf(e.getMessage()));
                });
    }

    private static String missing(List<ArgSpec> missing, List<String> arguments) {
        for (ArgSpec each : missing) {
            if (each.isPositional()) {
                return each.paramLabel() + " is missing";
            }
        }
        OptionSpec option = (OptionSpec) missing.getFirst();
        String name = option.longestName();
        boolean given = arguments.stream().anyMatch(word -> word.equals(name) || word.startsWith(name + "="));
        return given
                ? name + " requires a value: " + option.paramLabel()
                : name + " " + option.paramLabel() + " is missing";
    }

    private static Optional<String> flagWithValue(Usage usage, List<String> arguments) {
        return arguments.stream()
                .filter(word -> word.contains("="))
                .map(word -> usage.option(word.substring(0, word.indexOf('='))))
                .flatMap(Optional::stream)
                .filter(option -> option.label() == null)
                .map(option -> option.name() + " takes no value")
                .findFirst();
    }

    private static String tooMany(String word, List<String> arguments) {
        boolean behindDashes = arguments.contains("--") && arguments.indexOf("--") < arguments.indexOf(word);
        return "unexpected argument \"" + word + "\""
                + (behindDashes && looksLikeOption(word) ? "; options must be before \"--\"" : "");
    }

    /** The message for a word that looks like an option but is not one of the command's; empty for any other word. */
    static Optional<UsageException> unknownOption(String word, Usage usage, List<String> arguments) {
        int end = arguments.indexOf("--");
        List<String> before = end < 0 ? arguments : arguments.subList(0, end);
        String name = word.split("=", 2)[0];
        if (!looksLikeOption(word)
                || word.equals("--")
                || !before.contains(word)
                || usage.option(name).isPresent()) {
            return Optional.empty();
        }
        List<String> near = Similar.to(
                name,
                usage.options().stream()
                        .filter(option -> !option.hidden())
                        .map(Argument.Option::name)
                        .toList());
        return Optional.of(new UsageException("there is no option \"" + name + "\""
                + (near.isEmpty() ? "" : "; did you mean " + String.join(" or ", near) + "?")));
    }

    /** A minus before a digit begins a value: no option begins so, and a size may be negative. */
    private static boolean looksLikeOption(String word) {
        return word.length() > 1 && word.startsWith("-") && !Character.isDigit(word.charAt(1));
    }

    private static String name(ArgSpec of) {
        return of instanceof OptionSpec option ? option.longestName() : of.paramLabel();
    }
}
