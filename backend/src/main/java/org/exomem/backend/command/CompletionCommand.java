package org.exomem.backend.command;

import java.io.PrintWriter;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
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

    private static final String HEAD = """
            # Completes the words of exomem in bash and zsh; made by "exomem completion".
            # source it, or put it where your shell looks for completions.

            # The names of the VMs that are served, from where "exomem serve" puts its control socket.
            function _exomem_vms() {
              EXOMEM_NO_BUILD=1 "${COMP_WORDS[0]}" vms --json 2>/dev/null |
                sed -n 's/^ *"name" *: *"\\(.*\\)",*$/\\1/p'
            }

            """;

    private static final Pattern HEAD_COMMENT = Pattern.compile("\\A(?:#.*\\R|\\R)+");
    private static final Pattern NAMES = Pattern.compile(" *local (\\w+)=\\(\"" + VmNames.MARK + "\"\\).*\\R");

    private final ExomemCommand all;

    @Spec
    private CommandSpec spec;

    @Parameters(paramLabel = "bash|zsh", description = "The shell; one script serves both.")
    private Shell shell;

    CompletionCommand(ExomemCommand all) {
        this.all = all;
    }

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        out.print(HEAD + withNamesOfVms(AutoComplete.bash("exomem", all.commandLine(""))));
        out.flush();
        return ExitCode.OK;
    }

    /** Picocli's script knows fixed words only; those of its head comment tell how to install picocli's, not ours. */
    private static String withNamesOfVms(String script) {
        String text = HEAD_COMMENT.matcher(script).replaceFirst("");
        for (Matcher names = NAMES.matcher(text); names.find(); names = NAMES.matcher(text)) {
            String variable = names.group(1);
            text = text.replace(names.group(), "").replace("\"${" + variable + "[@]}\"", "$(_exomem_vms)");
        }
        return text;
    }
}
