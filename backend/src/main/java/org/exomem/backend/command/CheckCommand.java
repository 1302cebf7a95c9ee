package org.exomem.backend.command;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import org.exomem.backend.check.Finding;
import org.exomem.backend.check.Host;
import org.exomem.backend.check.HostChecks;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.Completion;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;

/** {@code exomem check}. */
final class CheckCommand implements Command {
    private static final String QEMU =
            "qemu-system-" + (System.getProperty("os.arch").equals("amd64") ? "x86_64" : System.getProperty("os.arch"));
    private static final int LEVEL_WIDTH = 9;

    private final OutputOption outputOption = new OutputOption();
    private String qemu = QEMU;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Checks whether this host supports all features of exomem, and lists what to change and why. Changes"
                        + " nothing.",
                "It checks with the permissions of its user: run it as the user who runs \"exomem serve\". The exit"
                        + " code is 1 if a feature does not work, and 0 if there is only advice.");
        usage.option(
                "--qemu",
                "PROGRAM",
                "The QEMU to check (default: " + QEMU + ").",
                Completion.FILE,
                value -> qemu = value);
        outputOption.describeOwn(usage);
    }

    @Override
    public int run(Streams streams) {
        List<Finding> findings = HostChecks.of(Host.here(), qemu);
        ArrayNode list = Json.object().putArray("findings");
        findings.forEach(finding -> describe(finding, list.addObject()));
        outputOption.on(streams).show(list, () -> words(findings));
        return findings.stream().anyMatch(finding -> finding.level() == Finding.Level.PROBLEM)
                ? ExitCode.FAILED
                : ExitCode.OK;
    }

    private static void describe(Finding finding, ObjectNode answer) {
        answer.put("level", finding.level().word())
                .put("topic", finding.topic())
                .put("found", finding.found());
        if (finding.level() != Finding.Level.OK) {
            answer.put("change", finding.change()).put("brings", finding.brings());
        }
    }

    private static String words(List<Finding> findings) {
        StringBuilder words = new StringBuilder();
        String indent = " ".repeat(LEVEL_WIDTH);
        for (Finding finding : findings) {
            String level = finding.level().word();
            line(words, level + " ".repeat(LEVEL_WIDTH - level.length()) + finding.topic() + ": " + finding.found());
            if (finding.level() != Finding.Level.OK) {
                line(words, indent + "  change: " + finding.change());
                line(words, indent + "  benefit: " + finding.brings());
            }
        }
        return words.toString();
    }

    private static void line(StringBuilder words, String line) {
        words.append(line).append(System.lineSeparator());
    }
}
