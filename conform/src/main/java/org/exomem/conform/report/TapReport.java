package org.exomem.conform.report;

import java.io.IOException;
import java.io.Writer;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Verdict;
import org.exomem.reference.Catalogue;

/** Test Anything Protocol, version 14: a test point for each check. A check that was not good has a block of YAML. */
final class TapReport {
    private TapReport() {}

    static void write(RunReport report, Catalogue catalogue, Writer to) throws IOException {
        to.write("TAP version 14\n1.." + report.results().size() + "\n");
        int number = 0;
        for (CheckResult result : report.results()) {
            number++;
            to.write((result.verdict().isGood() ? "ok " : "not ok ") + number + " - "
                    + escaped(result.check().toString()));
            if (result.verdict() == Verdict.SKIP) {
                to.write(" # SKIP " + escaped(result.message()));
            } else if (report.isKnown(result)) {
                to.write(" # TODO a known failure");
            }
            to.write("\n");
            if (!result.verdict().isGood()) {
                to.write("  ---\n");
                field(to, "verdict", result.verdict().name());
                field(to, "message", result.message());
                field(
                        to,
                        "requirement",
                        Told.requirement(catalogue, result.check().requirement()));
                to.write("  transcript:\n");
                for (var line : result.transcript()) {
                    to.write("    - " + quoted(Told.line(line)) + "\n");
                }
                to.write("  ...\n");
            }
        }
        for (String note : report.notes()) {
            to.write("# " + escaped(note) + "\n");
        }
    }

    private static void field(Writer to, String name, String value) throws IOException {
        to.write("  " + name + ": " + quoted(value) + "\n");
    }

    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
    }

    /** A number sign would begin a directive. */
    private static String escaped(String text) {
        return text.replace("\\", "\\\\").replace("#", "\\#").replace("\n", " ");
    }
}
