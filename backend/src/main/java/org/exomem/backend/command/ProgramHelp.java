package org.exomem.backend.command;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Section;

/** The help of the program as a whole. */
final class ProgramHelp {
    private static final Map<String, String> OPTIONS = inOrder(
            "-h, --help", "Shows this help; after a command, the help of that command.",
            "-V, --version", "Shows the version.");

    private static final Map<String, String> ENVIRONMENT = inOrder(
            "EXOMEM_NO_BUILD=1", "Starts the last build, even if sources have changed.",
            "EXOMEM_JAVA_OPTS", "Additional options for the JVM, such as -Xmx2g.",
            "JAVA25_HOME", "The JDK to use (default: exomem searches for a JDK 25).",
            "XDG_RUNTIME_DIR", "The folder of the control socket, unless --control names the socket.");

    /** The description of the program, for its manual page. */
    static final List<String> ABOUT = List.of(
            "Memory management of virtual machines, outside of the VMM.",
            "A balloon and memory devices over vhost-user, and migration that leaves unneeded pages behind.");

    private ProgramHelp() {}

    /** The sections below the commands. */
    static List<Section> sections() {
        return List.of(Section.ofRows("Options", OPTIONS), Section.ofRows("Environment", ENVIRONMENT), ExitCode.HELP);
    }

    /** @param summaries of the commands, by name */
    static String text(Map<String, String> summaries) {
        Map<String, String> all = new LinkedHashMap<>(summaries);
        // A command of the launcher.
        all.put("test [--long]", "Builds exomem and runs all its tests; for developers.");
        String head = """
            Usage: exomem COMMAND [OPTIONS] ...

            Memory management of virtual machines, outside of the VMM: a balloon and memory
            devices over vhost-user, and migration that leaves unneeded pages behind.
            """;
        return text(
                head,
                List.of(
                        Section.ofRows("Commands", all),
                        Section.ofRows("Options", OPTIONS),
                        Section.ofRows("Environment", ENVIRONMENT),
                        ExitCode.HELP));
    }

    /**
     * The help of commands that begin with the same word.
     *
     * @param summaries what each of them does, by its name
     */
    static String ofGroup(String word, Map<String, String> summaries) {
        return text(
                "Usage: exomem " + word + " COMMAND [OPTIONS] ...\n",
                List.of(Section.ofRows("Commands", summaries), Section.ofRows("Options", OPTIONS), ExitCode.HELP));
    }

    private static String text(String head, List<Section> sections) {
        StringBuilder text = new StringBuilder(head);
        for (Section section : sections) {
            text.append('\n').append(section.heading()).append(":\n");
            section.lines().forEach(line -> text.append(line).append('\n'));
        }
        return text.toString();
    }

    private static Map<String, String> inOrder(String... keysAndValues) {
        Map<String, String> map = new LinkedHashMap<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            map.put(keysAndValues[i], keysAndValues[i + 1]);
        }
        return map;
    }
}
