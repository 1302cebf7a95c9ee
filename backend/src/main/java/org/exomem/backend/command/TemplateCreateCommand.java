package org.exomem.backend.command;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import org.exomem.backend.config.HintsChoice;
import org.exomem.backend.qmp.Json;
import org.exomem.backend.template.Templates;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.CommandFailure;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.jspecify.annotations.Nullable;

/** {@code exomem template create}. */
final class TemplateCreateCommand implements Command {
    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();
    private final TemplatesOption templates = new TemplatesOption();
    private String vm = "";
    private String name = "";
    private HintsChoice hints = HintsChoice.AUTO;
    private @Nullable Path key;
    private boolean end;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Creates a template from a running VM, from which \"exomem clone\" starts clones.",
                "The VM is saved as by \"exomem save\", and continues. Pages that its guest does not need take no"
                        + " space. The template's files are read-only, and their digests are checked before a clone"
                        + " starts.");
        usage.parameter("VM", "The VM's name.", Completion.VM, value -> vm = value);
        usage.parameter("NAME", "The template's name.", Completion.NOTHING, value -> name = value);
        usage.path(
                "--key", "FILE", "Signs the template with this key of \"exomem template key\".", value -> key = value);
        usage.flag("--end", "Ends the VMM when the template is complete.", () -> end = true);
        usage.choice(
                "--hints",
                "How to find memory that the guest does not need; see \"exomem migrate --help\".",
                HintsChoice.class,
                value -> hints = value);
        templates.describe(usage);
        outputOption.describe(usage);
        control.describe(usage);
        usage.section("Examples", "  exomem template create web web-1.4 --key /etc/exomem/keys/template-key.pem");
    }

    @Override
    public int run(Streams streams) throws UsageException {
        Output output = outputOption.on(streams);
        Templates all = templates.templates();
        ObjectNode request = Json.object()
                .put("vm", vm)
                .put("template", true)
                .put("end", end)
                .put("hints", hints.word());
        try {
            request.put("folder", all.path(name).toString());
            templates.make();
        } catch (IllegalArgumentException e) {
            throw new UsageException(String.valueOf(e.getMessage()));
        } catch (IOException e) {
            throw new CommandFailure(ExitCode.FAILED, e);
        }
        if (key != null) {
            request.put("key", key.toAbsolutePath().toString());
        }
        return control.connect(session -> {
            session.execute("save", request);
            return new MigrationWatch(session, vm, output).untilOver("the creation of the template continues");
        });
    }
}
