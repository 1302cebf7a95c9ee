package org.exomem.backend.options;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads the arguments of one command, and hands them to the setters of its usage. Options and parameters may stand in any
 * order; behind {@code --} there are only parameters. A minus before a digit begins a parameter: no option has that, and a
 * size may be negative.
 */
final class ArgumentParser {
    private final Usage usage;
    private final Set<String> given = new HashSet<>();
    private int parameters;

    ArgumentParser(Usage usage) {
        this.usage = usage;
    }

    /** @throws UsageException with what was wrong first */
    void parse(List<String> arguments) throws UsageException {
        boolean onlyParameters = false;
        for (int i = 0; i < arguments.size(); i++) {
            String argument = arguments.get(i);
            if (onlyParameters || !isOption(argument)) {
                parameter(argument, onlyParameters);
            } else if (argument.equals("--")) {
                onlyParameters = true;
            } else {
                String next = i + 1 < arguments.size() ? arguments.get(i + 1) : null;
                i += option(argument, next);
            }
        }
        if (parameters < usage.parameters().size()
                && usage.parameters().get(parameters).required()) {
            throw new UsageException(usage.parameters().get(parameters).label() + " is missing");
        }
        for (Argument.Option option : usage.options()) {
            if (option.required() && !given.contains(option.name())) {
                throw new UsageException(option.shown() + " is missing");
            }
        }
    }

    private static boolean isOption(String argument) {
        return argument.length() > 1 && argument.startsWith("-") && !Character.isDigit(argument.charAt(1));
    }

    private void parameter(String value, boolean behindDashes) throws UsageException {
        if (parameters == usage.parameters().size()) {
            throw new UsageException("\"" + value + "\" is one word too many"
                    + (behindDashes && isOption(value) ? "; options stand before \"--\"" : ""));
        }
        usage.parameters().get(parameters++).setter().set(value);
    }

    /** Returns how many of the arguments behind it the option has taken: 0 or 1. */
    private int option(String argument, @Nullable String next) throws UsageException {
        int equals = argument.indexOf('=');
        String name = equals < 0 ? argument : argument.substring(0, equals);
        Argument.Option option = usage.option(name).orElseThrow(() -> unknown(name));
        if (!given.add(name) && !option.repeatable()) {
            throw new UsageException(name + " is given more than once");
        }
        if (option.label() == null) {
            if (equals >= 0) {
                throw new UsageException(name + " stands alone, without a value");
            }
            option.setter().set("");
            return 0;
        }
        String value = equals >= 0 ? argument.substring(equals + 1) : next;
        if (value == null || equals < 0 && isOption(value)) {
            throw new UsageException(name + " needs " + option.label() + " after it");
        }
        if (value.isEmpty()) {
            throw new UsageException(name + " needs " + option.label() + " after it, which is empty");
        }
        option.setter().set(value);
        return equals >= 0 ? 0 : 1;
    }

    private UsageException unknown(String name) {
        List<String> near = Similar.to(
                name,
                usage.options().stream()
                        .filter(option -> !option.hidden())
                        .map(Argument.Option::name)
                        .toList());
        return new UsageException("there is no option \"" + name + "\""
                + (near.isEmpty() ? "" : "; is it " + String.join(" or ", near) + " that is meant?"));
    }
}
