package org.exomem.demo;

import java.util.ArrayList;
import java.util.List;
import org.exomem.backend.command.ExomemCommand;
import org.exomem.cli.options.Streams;

/** Runs everyday commands in this process, to train a cache. */
final class CommandSeries {
    /** Not all commands, because each class in the cache makes every start a little longer. */
    private static final List<String> COMMANDS = List.of(
            "vms",
            "vms --memory",
            "vms --json",
            "balloon demo",
            "balloon demo 32M --wait",
            "balloon demo +1M",
            "stats demo",
            "hints demo",
            "mem demo",
            "mem demo 4M",
            "mem demo -4M",
            "balloon nobody");

    private CommandSeries() {}

    /** @param control the socket that the commands connect to */
    static void run(String control, Streams streams) {
        for (String command : COMMANDS) {
            List<String> words = new ArrayList<>(List.of(command.split(" ", -1)));
            words.addAll(List.of("--control", control));
            new ExomemCommand().run(streams, words.toArray(String[]::new));
        }
    }
}
