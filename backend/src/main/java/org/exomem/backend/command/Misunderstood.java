package org.exomem.backend.command;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import picocli.CommandLine.MissingParameterException;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.OverwrittenOptionException;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.UnmatchedArgumentException;

/** What was wrong with a command's words, in the words of its help rather than in picocli's. */
final class Misunderstood {
    private Misunderstood() {}

    static String words(ParameterException e) {
        return switch (e) {
            case UnmatchedArgumentException unmatched -> unmatched(unmatched);
            case OverwrittenOptionException twice -> name(twice.getOverwritten()) + " is given more than once";
            case MissingParameterException missing -> missing(missing);
            default -> wrong(e);
        };
    }

    private static String unmatched(UnmatchedArgumentException e) {
        String word = e.getUnmatched().getFirst();
        if (!e.isUnknownOption()) {
            return quoted(word) + " is one word too many";
        }
        List<String> near = e.getSuggestions();
        return "there is no option " + quoted(word)
                + (near.isEmpty() ? "" : "; is it " + String.join(" or ", near) + " that is meant?");
    }

    private static String missing(MissingParameterException e) {
        ArgSpec first =
                e.getMissing().isEmpty() ? e.getArgSpec() : e.getMissing().getFirst();
        if (first == null) {
            return lowerCase(e);
        }
        if (first instanceof OptionSpec option) {
            return name(option) + " needs " + option.paramLabel() + " after it";
        }
        return first.paramLabel() + " is missing";
    }

    private static String wrong(ParameterException e) {
        ArgSpec about = e.getArgSpec();
        if (about == null || e.getValue() == null) {
            return lowerCase(e);
        }
        String value = name(about) + ": " + quoted(e.getValue());
        Class<?> type = about.type();
        if (type == int.class || type == Integer.class) {
            return value + " is not a whole number, or too large";
        }
        if (type.isEnum()) {
            return value + " is none of "
                    + Arrays.stream(type.getEnumConstants())
                            .map(Object::toString)
                            .collect(Collectors.joining(", "));
        }
        if (type == boolean.class) {
            return name(about) + " stands alone, without a value";
        }
        return lowerCase(e);
    }

    private static String name(ArgSpec about) {
        return about instanceof OptionSpec option ? option.longestName() : about.paramLabel();
    }

    private static String quoted(String word) {
        return "\"" + word + "\"";
    }

    private static String lowerCase(ParameterException e) {
        String message = String.valueOf(e.getMessage());
        return message.substring(0, 1).toLowerCase(Locale.ROOT) + message.substring(1);
    }
}
