package org.exomem.backend.command;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Supplier;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandLine;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.reference.Catalogue;
import org.exomem.reference.Requirement;
import org.jspecify.annotations.Nullable;

/** {@code exomem completion}. */
final class CompletionCommand implements Command {
    /** The shells that can use the script. */
    enum Shell {
        BASH,
        ZSH,
        FISH;

        /** The name on the command line. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private final Supplier<Map<String, CommandLine>> commands;
    private @Nullable Shell shell;

    /** @param commands all commands of the program, by name */
    CompletionCommand(Supplier<Map<String, CommandLine>> commands) {
        this.commands = commands;
    }

    @Override
    public void describe(Usage usage) {
        usage.does("Prints a script that completes commands, options and names in a shell.");
        usage.choice("The shell.", Shell.class, value -> shell = value);
        usage.section(
                "Examples",
                "  source <(exomem completion bash)                       in this shell",
                "  exomem completion fish >~/.config/fish/completions/exomem.fish",
                "  exomem completion bash >/etc/bash_completion.d/exomem  for all users");
    }

    @Override
    public int run(Streams streams) {
        streams.out().print(CompletionScript.of(Objects.requireNonNull(shell), commands.get(), ids()));
        return ExitCode.OK;
    }

    private static List<String> ids() {
        return Catalogue.load().requirements().stream().map(Requirement::id).toList();
    }
}
