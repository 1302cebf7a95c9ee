package org.exomem.conform.command;

import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.exomem.cli.options.UsageException;
import org.exomem.conform.report.ReportFormat;
import org.exomem.conform.run.RunReport;
import org.exomem.reference.Catalogue;

/**
 * One report that a user requested.
 *
 * @param file the report's file; empty for stdout
 */
record ReportTarget(ReportFormat format, Optional<Path> file) {
    static final String FORMS = "junit, json, html or tap";

    /** @param text a format, or a format, an equals sign and a path */
    static ReportTarget parse(String text) throws UsageException {
        String[] parts = text.split("=", 2);
        ReportFormat format = ReportFormat.of(parts[0])
                .orElseThrow(() -> new UsageException("unknown report format \"" + parts[0] + "\"; it is " + FORMS));
        if (parts.length == 2 && parts[1].isEmpty()) {
            throw new UsageException("--report " + text + ": the file has no name");
        }
        return new ReportTarget(format, parts.length == 2 ? Optional.of(Path.of(parts[1])) : Optional.empty());
    }

    /** Writes the report into its file. */
    void save(RunReport report, Catalogue catalogue) throws IOException {
        try (Writer to = Files.newBufferedWriter(file.orElseThrow())) {
            format.write(report, catalogue, to);
        }
    }
}
