package org.exomem.conform.broken;

import java.util.Map;
import java.util.TreeMap;

/** Requirements that have checks and no mutation, and why none is possible. */
final class Unbroken {
    private static final String PROGRAM =
            "It is about a program and how it is started. A saboteur stands on a socket, and starts none.";
    private static final String PROCESS =
            "It is about what a process holds, and a saboteur is in the process of the test, where the check looks at nothing.";

    /** By id. */
    static final Map<String, String> ALL = new TreeMap<>(Map.ofEntries(
            Map.entry("robust.leak.1", PROCESS),
            Map.entry("robust.leak.2", PROCESS),
            Map.entry("robust.leak.3", PROCESS),
            Map.entry("robust.session.5", PROGRAM),
            Map.entry(
                    "robust.message.6",
                    "A stream does not tell its reader in how many pieces its bytes were written: how many a saboteur sees"
                            + " depends on how busy the machine is."),
            Map.entry("vhost.program.5", PROGRAM),
            Map.entry("vhost.program.6", PROGRAM),
            Map.entry("vhost.program.7", PROGRAM),
            Map.entry("vhost.program.8", PROGRAM),
            Map.entry("vhost.program.9", PROGRAM),
            Map.entry("vhost.program.10", PROGRAM),
            Map.entry("vhost.program.11", PROGRAM),
            Map.entry("vhost.program.12", PROGRAM)));

    private Unbroken() {}
}
