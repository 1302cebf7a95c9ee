package org.exomem.backend.command;

import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code exomem completion}. */
@Command(
        name = "completion",
        description = "Prints a script that completes this command's words in a shell.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  source <(exomem completion bash)                       in this shell",
            "  exomem completion bash >/etc/bash_completion.d/exomem  for everybody"
        })
final class CompletionCommand implements Callable<Integer> {
    /** The shells that understand the script. */
    enum Shell {
        BASH,
        ZSH;

        /** As it is typed. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "bash|zsh", description = "The shell; one script serves both.")
    private Shell shell;

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        out.print(AutoComplete.bash("exomem", ExomemCommand.commandLine("")));
        out.flush();
        return ExitCode.OK;
    }
}
