package org.exomem.backend.command;

import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;

/** {@code --json}. */
final class OutputOption {
    private boolean json;

    void describe(Usage usage) {
        usage.flag("--json", "Prints JSON, as on the control socket; sizes in bytes.", () -> json = true);
    }

    /** The same for a command that asks no process that serves. */
    void describeOwn(Usage usage) {
        usage.flag("--json", "Prints JSON; sizes in bytes.", () -> json = true);
    }

    Output on(Streams streams) {
        return new Output(streams, json);
    }
}
