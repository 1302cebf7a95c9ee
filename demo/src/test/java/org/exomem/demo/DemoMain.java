package org.exomem.demo;

import org.exomem.backend.command.ExomemCommand;

/** The program with the demo, for a separate process. */
final class DemoMain {
    private DemoMain() {}

    public static void main(String[] arguments) {
        System.exit(new ExomemCommand().with("demo", DemoCommand::new).run(arguments));
    }
}
