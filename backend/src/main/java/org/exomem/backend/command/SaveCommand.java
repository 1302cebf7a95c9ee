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
                "Saves a running VM into a folder, from which \"exomem restore\" runs it again.",
                "Memory is copied while the guest runs, without pages that the guest does not need. Then the guest is"
                        + " paused for a moment, for the state of its VMM, and runs on. With --end its VMM is ended in"
                        + " place of that.",
                "A VM whose RAM files are in that folder already (\"exomem ram create\") is saved at once, whatever"
                        + " its size: nothing is copied. That needs --end.");
        usage.parameter("VM", "The VM's name.", Completion.VM, value -> vm = value);
        usage.path(
                "--to",
                "FOLDER",
                "Where the image is to be. It is made if only its last part is not there.",
                value -> to = value);
        usage.flag("--end", "Ends the VMM when the VM is saved.", () -> end = true);
        usage.choice(
                "--hints",
                "How to learn which memory the guest does not need; \"exomem migrate --help\" explains.",
                HintsChoice.class,
                value -> hints = value);
        usage.choice(
                "--writes",
                "How to learn which pages the guest writes; \"exomem migrate --help\" explains.",
                WritesChoice.class,
                value -> writes = value);
        usage.path(
                "--vmm-qmp",
                "PATH",
                "The QMP socket of the VM's VMM, if \"exomem serve\" was not told.",
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
            throw new UsageException("where to is missing: --to FOLDER");
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
            return new MigrationWatch(session, vm, output).untilOver("the save goes on");
        });
    }
}
