package org.exomem.cli.options;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Parses command lines without anything unusual, which are nearly all. Everything else (any mistake, {@code --}) is
 * left to picocli, which explains it. Loading picocli takes longer than all else that a command does, because the JVM
 * can't keep its old class files in the cache.
 */
final class PlainArguments {
    private record Assignment(Argument.Setter setter, String value) {}

    private final Usage usage;
    private final Set<String> given = new HashSet<>();
    private final List<Assignment> assignments = new ArrayList<>();
    private int parameters;

    private PlainArguments(Usage usage) {
        this.usage = usage;
    }

    /**
     * Passes the arguments to the setters of the usage, in their order. Returns false, and passes nothing, if picocli
     * must parse the line.
     *
     * @throws UsageException if a setter refuses its value
     */
    static boolean take(Usage usage, List<String> arguments) throws UsageException {
        PlainArguments plain = new PlainArguments(usage);
        if (!plain.read(arguments) || !plain.isComplete()) {
            return false;
        }
        for (Assignment assignment : plain.assignments) {
            assignment.setter().set(assignment.value());
        }
        return true;
    }

    private boolean read(List<String> arguments) {
        for (int i = 0; i < arguments.size(); i++) {
            String argument = arguments.get(i);
            if (!isOption(argument)) {
                if (argument.isEmpty() || !parameter(argument)) {
                    return false;
                }
                continue;
            }
            int equals = argument.indexOf('=');
            String name = equals < 0 ? argument : argument.substring(0, equals);
            Argument.Option option = usage.option(name).orElse(null);
            if (option == null || !given.add(name) && !option.repeatable()) {
                return false;
            }
            String value = "";
            if (option.label() != null) {
                if (equals < 0 && (++i == arguments.size() || isOption(arguments.get(i)))) {
                    return false;
                }
                value = equals < 0 ? arguments.get(i) : argument.substring(equals + 1);
            }
            if (value.isEmpty() != (option.label() == null) || option.label() == null && equals >= 0) {
                return false;
            }
            assignments.add(new Assignment(option.setter(), value));
        }
        return true;
    }

    private boolean parameter(String value) {
        if (parameters == usage.parameters().size()) {
            return false;
        }
        Argument.Parameter parameter = usage.parameters().get(parameters);
        assignments.add(new Assignment(parameter.setter(), value));
        if (!parameter.repeatable()) {
            parameters++;
        }
        return true;
    }

    private boolean isComplete() {
        boolean hasParameters = parameters == usage.parameters().size()
                || !usage.parameters().get(parameters).required();
        return hasParameters
                && usage.options().stream().allMatch(option -> !option.required() || given.contains(option.name()));
    }

    /** A size may begin with a minus and a digit. */
    private static boolean isOption(String argument) {
        return argument.startsWith("-") && !(argument.length() > 1 && Character.isDigit(argument.charAt(1)));
    }
}
