package org.exomem.backend.command;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import org.exomem.backend.config.HintsChoice;
import org.exomem.backend.config.WritesChoice;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;
import org.jspecify.annotations.Nullable;

/** {@code exomem save}. */
final class SaveCommand implements Command {
    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();
    private String vm = "";
    private @Nullable Path to;
    private @Nullable Path vmmQmp;
    private HintsChoice hints = HintsChoice.AUTO;
    private @Nullable WritesChoice writes;
    private boolean end;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Saves a running VM to a folder, from which \"exomem restore\" restores it.",
                "Memory is copied while the guest runs, without pages that the guest does not need. Then the guest is"
                        + " paused for a moment while the state of its VMM is saved, and continues. With --end its"
                        + " VMM is ended instead.",
                "A VM whose RAM files are in that folder already (\"exomem ram create\") is saved at once, because"
                        + " nothing is copied. That needs --end.");
        usage.parameter("VM", "The VM's name.", Completion.VM, value -> vm = value);
        usage.path(
                "--to", "FOLDER", "The folder for the image. It is created if its parent exists.", value -> to = value);
        usage.flag("--end", "Ends the VMM when the VM is saved.", () -> end = true);
        usage.choice(
                "--hints",
                "How to find memory that the guest does not need; see \"exomem migrate --help\".",
                HintsChoice.class,
                value -> hints = value);
        usage.choice(
                "--writes",
                "How to find pages that the guest writes; see \"exomem migrate --help\".",
                WritesChoice.class,
                value -> writes = value);
        usage.path(
                "--vmm-qmp",
                "PATH",
                "The QMP socket of the VM's VMM. Needed only if \"exomem serve\" does not know it (vmm-qmp=).",
                value -> vmmQmp = value);
        outputOption.describe(usage);
        control.describe(usage);
        usage.section(
                "Examples",
                "  exomem save web --to /var/lib/exomem/images/web",
                "  exomem save web --to /dev/shm/web --end");
    }

    @Override
    public int run(Streams streams) throws UsageException {
        Output output = outputOption.on(streams);
        if (to == null) {
            throw new UsageException("--to FOLDER is missing");
        }
        ObjectNode request = Json.object()
                .put("vm", vm)
                .put("folder", to.toAbsolutePath().normalize().toString())
                .put("end", end)
                .put("hints", hints.word());
        if (writes != null) {
            request.put("writes", writes.word());
        }
        if (vmmQmp != null) {
            request.put("vmm-qmp", vmmQmp.toAbsolutePath().toString());
        }
        return control.connect(session -> {
            session.execute("save", request);
            return new MigrationWatch(session, vm, output).untilOver("the save continues");
        });
    }
}
