package org.exomem.cli.options;

import org.jspecify.annotations.Nullable;

/** An option or a parameter of a command line. */
public sealed interface Argument {
    /** Takes a value from the command line. */
    @FunctionalInterface
    interface Setter {
        void set(String value) throws UsageException;
    }

    String description();

    Setter setter();

    Completion completion();

    /**
     * An option, {@code --name}, {@code --name VALUE} or {@code --name=VALUE}.
     *
     * @param label the value's name in the help; null for an option without a value
     */
    record Option(
            String name,
            @Nullable String label,
            String description,
            Setter setter,
            Completion completion,
            boolean required,
            boolean repeatable,
            boolean hidden)
            implements Argument {
        /** The option with its value, as the help shows it. */
        String shown() {
            return label == null ? name : name + " " + label;
        }
    }

    /**
     * A value that is identified by its position.
     *
     * @param label its name in the help
     * @param repeatable whether more may follow, up to the end of the line; allowed for the last parameter only
     */
    record Parameter(
            String label,
            String description,
            Setter setter,
            Completion completion,
            boolean required,
            boolean repeatable)
            implements Argument {
        /** The parameter as the line of usage shows it. */
        String shown() {
            String name = required ? label : "[" + label + "]";
            return repeatable ? name + "..." : name;
        }
    }
}
