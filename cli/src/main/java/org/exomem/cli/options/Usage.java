package org.exomem.cli.options;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * What a command takes, and its help: a command fills it in {@link Command#describe}. Options are shown in the order in
 * which they are declared.
 */
public final class Usage {
    private static final int HOUR = 3600;
    private static final int DAY = 24 * HOUR;

    private final String name;
    private final List<String> description = new ArrayList<>();
    private final List<Argument.Parameter> parameters = new ArrayList<>();
    private final List<Argument.Option> options = new ArrayList<>();
    private final List<Supplier<Section>> sections = new ArrayList<>();

    private Usage(String name) {
        this.name = name;
    }

    /** The usage that a command declares. */
    static Usage of(String name, Command command) {
        Usage usage = new Usage(name);
        command.describe(usage);
        return usage;
    }

    /** What the command does: paragraphs, the first of which also is its line in the list of commands. */
    public Usage does(String... paragraphs) {
        description.addAll(List.of(paragraphs));
        return this;
    }

    /** A value that must be there. */
    public Usage parameter(String label, String text, Completion completion, Argument.Setter setter) {
        parameters.add(new Argument.Parameter(label, text, setter, completion, true, false));
        return this;
    }

    /** A value that may be there, behind those that must. */
    public Usage optionalParameter(String label, String text, Completion completion, Argument.Setter setter) {
        parameters.add(new Argument.Parameter(label, text, setter, completion, false, false));
        return this;
    }

    /** Any number of values, behind all others. */
    public Usage words(String label, String text, Completion completion, Argument.Setter setter) {
        parameters.add(new Argument.Parameter(label, text, setter, completion, false, true));
        return this;
    }

    /** An option that stands alone. */
    public Usage flag(String option, String text, Runnable given) {
        options.add(
                new Argument.Option(option, null, text, value -> given.run(), Completion.NOTHING, false, false, false));
        return this;
    }

    /** An option that stands alone, which the help does not show. */
    public Usage hiddenFlag(String option, Runnable given) {
        options.add(
                new Argument.Option(option, null, "", value -> given.run(), Completion.NOTHING, false, false, true));
        return this;
    }

    /** An option with a value, which the help does not show. */
    public Usage hiddenOption(String option, Argument.Setter setter) {
        options.add(new Argument.Option(option, "VALUE", "", setter, Completion.NOTHING, false, false, true));
        return this;
    }

    /** An option with a value, at most once. */
    public Usage option(String option, String label, String text, Completion completion, Argument.Setter setter) {
        options.add(new Argument.Option(option, label, text, setter, completion, false, false, false));
        return this;
    }

    /** An option with a value, exactly once. */
    public Usage requiredOption(
            String option, String label, String text, Completion completion, Argument.Setter setter) {
        options.add(new Argument.Option(option, label, text, setter, completion, true, false, false));
        return this;
    }

    /** An option with a value, as often as one likes. */
    public Usage repeatableOption(
            String option, String label, String text, Completion completion, Argument.Setter setter) {
        options.add(new Argument.Option(option, label, text, setter, completion, false, true, false));
        return this;
    }

    /** An option with a whole number. */
    public Usage number(String option, String label, String text, int least, int most, Consumer<Integer> setter) {
        return option(
                option,
                label,
                text,
                Completion.NOTHING,
                value -> setter.accept(number(option, value, least, most, "")));
    }

    /** An option with seconds, from 0 to a day. */
    public Usage seconds(String option, String text, Consumer<Integer> setter) {
        return seconds(option, text, DAY, ", a day", setter);
    }

    /** The same, from 0 to an hour. */
    public Usage secondsOfAnHour(String option, String text, Consumer<Integer> setter) {
        return seconds(option, text, HOUR, ", an hour", setter);
    }

    private Usage seconds(String option, String text, int most, String words, Consumer<Integer> setter) {
        return option(
                option,
                "SECONDS",
                text,
                Completion.NOTHING,
                value -> setter.accept(number(option, value, 0, most, " seconds" + words)));
    }

    /** An option with a path. */
    public Usage path(String option, String label, String text, Consumer<Path> setter) {
        return option(option, label, text, Completion.FILE, value -> setter.accept(path(option, value)));
    }

    /** A value that may be there, one of an enum's; it may be typed in capital letters, too. */
    public <E extends Enum<E>> Usage optionalChoice(String text, Class<E> type, Consumer<E> setter) {
        Choice<E> choice = new Choice<>(type);
        return optionalParameter(
                choice.label(), text, choice.completion(), value -> setter.accept(choice.of(choice.label(), value)));
    }

    /** The same for a value that must be there. */
    public <E extends Enum<E>> Usage choice(String text, Class<E> type, Consumer<E> setter) {
        Choice<E> choice = new Choice<>(type);
        return parameter(
                choice.label(), text, choice.completion(), value -> setter.accept(choice.of(choice.label(), value)));
    }

    /** An option with one value of an enum's. */
    public <E extends Enum<E>> Usage choice(String option, String text, Class<E> type, Consumer<E> setter) {
        Choice<E> choice = new Choice<>(type);
        return option(
                option, choice.label(), text, choice.completion(), value -> setter.accept(choice.of(option, value)));
    }

    /**
     * Lines below the options.
     *
     * @param section is called when the help is shown, and not by a command that runs: to wrap lines takes as long as a start may
     */
    public Usage section(Supplier<Section> section) {
        sections.add(section);
        return this;
    }

    /** Lines below the options, such as examples. */
    public Usage section(String heading, String... lines) {
        sections.add(() -> new Section(heading, List.of(lines)));
        return this;
    }

    private static Path path(String option, String text) throws UsageException {
        try {
            return Path.of(text);
        } catch (InvalidPathException e) {
            throw new UsageException(option + ": \"" + text + "\" can't be a path: " + e.getReason());
        }
    }

    private static int number(String option, String text, int least, int most, String unit) throws UsageException {
        int number;
        try {
            number = Integer.parseInt(text);
        } catch (NumberFormatException e) {
            throw new UsageException(option + ": \"" + text + "\" is not a whole number, or too large");
        }
        if (number < least || number > most) {
            throw new UsageException(option + " " + number + ": must be from " + least + " to " + most + unit);
        }
        return number;
    }

    private record Choice<E extends Enum<E>>(Class<E> type) {
        List<String> words() {
            return Arrays.stream(type.getEnumConstants()).map(Choice::word).toList();
        }

        String label() {
            return String.join("|", words());
        }

        Completion completion() {
            return new Completion.Words(words());
        }

        /** @param place what the value was given for */
        E of(String place, String value) throws UsageException {
            for (E each : type.getEnumConstants()) {
                if (word(each).equals(value.toLowerCase(Locale.ROOT))) {
                    return each;
                }
            }
            throw new UsageException(place + ": \"" + value + "\" is none of " + String.join(", ", words()));
        }

        private static String word(Enum<?> constant) {
            return constant.toString().toLowerCase(Locale.ROOT);
        }
    }

    String name() {
        return name;
    }

    List<String> description() {
        return description;
    }

    List<Argument.Parameter> parameters() {
        return parameters;
    }

    List<Argument.Option> options() {
        return options;
    }

    Optional<Argument.Option> option(String wanted) {
        return options.stream().filter(option -> option.name().equals(wanted)).findFirst();
    }

    List<Section> sections() {
        return sections.stream().map(Supplier::get).toList();
    }
}
