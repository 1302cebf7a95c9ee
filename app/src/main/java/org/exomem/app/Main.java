package org.exomem.app;

import org.exomem.backend.command.ExomemCommand;
import org.exomem.conform.command.ConformCommand;
import org.exomem.demo.DemoCommand;

/** The entry point of the launcher: all commands of the back-end, and the demo. */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) {
        ExomemCommand.exit(program().run(arguments));
    }

    /** The program with all its commands. */
    static ExomemCommand program() {
        return new ExomemCommand().with("demo", DemoCommand::new).with("conform", ConformCommand::new);
    }
}
