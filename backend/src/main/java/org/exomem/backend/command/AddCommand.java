package org.exomem.backend.command;

import com.fasterxml.jackson.databind.node.ObjectNode;
import org.exomem.backend.config.ConfigException;
import org.exomem.backend.config.DeviceArguments;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;
import org.exomem.cli.options.UsageException;

/** {@code exomem add}. */
final class AddCommand implements Command {
    private final ControlOption control = new ControlOption();
    private final DeviceOptions devices = new DeviceOptions();

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Adds balloons and memory devices to a running \"exomem serve\", also of new VMs.",
                "Adds all given devices or none. They are served until \"exomem remove\" or until the process ends.");
        devices.describe(usage);
        control.describe(usage);
        DeviceOptions.explain(usage, "add");
    }

    @Override
    public int run(Streams streams) throws ConfigException, UsageException {
        ObjectNode arguments = DeviceArguments.of(devices.balloons(), devices.mems());
        if (arguments.isEmpty()) {
            throw new UsageException("nothing to add: name a balloon (--balloon) or a memory device (--mem)");
        }
        return control.connect(session -> {
            session.execute("vm-add", arguments);
            return ExitCode.OK;
        });
    }
}
