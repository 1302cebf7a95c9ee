package org.exomem.backend.command;

import java.io.IOException;
import java.util.List;
import java.util.stream.Collectors;
import org.exomem.backend.template.CloneUsage;
import org.exomem.backend.template.Templates;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.exomem.images.ImageException;

/** {@code exomem template remove}. */
final class TemplateRemoveCommand implements Command {
    private final TemplatesOption templates = new TemplatesOption();
    private String name = "";
    private boolean force;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Removes a template.",
                "Refuses a template that running clones use. With --force its files are removed anyway: the clones"
                        + " continue, and the host gets the memory back when the last clone ends.");
        usage.parameter("NAME", "The template's name.", Completion.NOTHING, value -> name = value);
        usage.flag("--force", "Removes it even if running clones use it.", () -> force = true);
        templates.describe(usage);
    }

    @Override
    public int run(Streams streams) throws UsageException {
        Templates all = templates.templates();
        try {
            all.there(name);
            if (!force) {
                refuseUsed(all);
            }
            all.remove(name);
            return ExitCode.OK;
        } catch (IllegalArgumentException e) {
            throw new UsageException(String.valueOf(e.getMessage()));
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
    }

    private void refuseUsed(Templates all) throws IOException {
        List<CloneUsage> clones;
        try {
            clones = CloneUsage.of(all.open(name));
        } catch (ImageException e) {
            // A damaged template is removed too.
            return;
        }
        if (!clones.isEmpty()) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    "running clones use template \"" + name + "\": "
                            + clones.stream()
                                    .map(clone -> clone.program() + " " + clone.pid())
                                    .collect(Collectors.joining(", "))
                            + "; end them first, or use --force");
        }
    }
}
