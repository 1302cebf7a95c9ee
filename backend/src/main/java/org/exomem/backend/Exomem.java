package org.exomem.backend;

import org.exomem.backend.command.ExomemCommand;

/** The program. */
public final class Exomem {
    private Exomem() {}

    public static void main(String[] arguments) {
        System.exit(ExomemCommand.run(arguments));
    }
}
