package org.exomem.backend;

import org.exomem.backend.command.ExomemCommand;

/** The back-end's commands alone, as tests and the demo start them. */
public final class Exomem {
    private Exomem() {}

    public static void main(String[] arguments) {
        ExomemCommand.exit(new ExomemCommand().run(arguments));
    }
}
