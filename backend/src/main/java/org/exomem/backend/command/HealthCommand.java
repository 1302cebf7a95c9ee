package org.exomem.backend.command;

import com.fasterxml.jackson.databind.JsonNode;
import org.exomem.cli.options.Command;
import org.exomem.cli.options.ExitCode;
import org.exomem.cli.options.Streams;
import org.exomem.cli.options.Usage;

/** {@code exomem health}. */
final class HealthCommand implements Command {
    private final ControlOption control = new ControlOption();
    private final OutputOption outputOption = new OutputOption();
    private boolean strict;

    @Override
    public void describe(Usage usage) {
        usage.does(
                "Lists problems of the serving process and of its VMs, and how to fix them.",
                "A critical problem means that a VM does not get what it needs now. The exit code is then 1. Warnings"
                        + " are listed too. If metrics are served, /healthz reports the same.");
        usage.flag("--strict", "The exit code is 1 for warnings too.", () -> strict = true);
        outputOption.describe(usage);
        control.describe(usage);
        usage.section(
                "Examples", "  exomem health", "  exomem health --strict > /dev/null || page-somebody     in a script");
    }

    @Override
    public int run(Streams streams) {
        Output output = outputOption.on(streams);
        return control.connect(session -> {
            JsonNode report = session.execute("query-health");
            output.show(report, () -> words(report));
            String status = report.path("status").asText();
            boolean healthy = status.equals("ok") || status.equals("warning") && !strict;
            return healthy ? ExitCode.OK : ExitCode.FAILED;
        });
    }

    private static String words(JsonNode report) {
        StringBuilder words = new StringBuilder();
        for (JsonNode problem : report.path("problems")) {
            String whose =
                    (problem.path("vm").asText() + " " + problem.path("device").asText()).strip();
            words.append(problem.path("severity").asText())
                    .append(": ")
                    .append(whose.isEmpty() ? "" : whose + ": ")
                    .append(problem.path("problem").asText())
                    .append(System.lineSeparator())
                    .append("    ")
                    .append(problem.path("advice").asText())
                    .append(System.lineSeparator());
        }
        return words.isEmpty() ? "ok" + System.lineSeparator() : words.toString();
    }
}
