package org.exomem.conform.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.exomem.cli.text.Table;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.trial.FeatureNames;
import org.exomem.reference.Catalogue;

/** A report for a terminal: a table of counts, and the results that need attention. */
public final class TerminalReport {
    /** The number of lines that are shown from the end of a transcript. */
    private static final int LINES = 24;

    private static final int GOOD_TO_HAVE = 3;

    private TerminalReport() {}

    /** If there are more failures, their transcripts are left out: they would be too long for a terminal. */
    private static final int TOLD_IN_FULL = 5;

    private static final String HOW_TO_SEE =
            "Sent and received messages are omitted. To see them: --report html=FILE, or --only ID.\n\n";

    /** The results that need attention. */
    public static String failures(RunReport report, Catalogue catalogue) {
        List<CheckResult> news =
                report.results().stream().filter(report::isNews).toList();
        StringBuilder text = new StringBuilder();
        for (CheckResult result : news) {
            text.append(news.size() > TOLD_IN_FULL ? head(result, catalogue) : failure(result, catalogue));
            text.append('\n');
        }
        return text.append(news.size() > TOLD_IN_FULL ? HOW_TO_SEE : "").toString();
    }

    /** The full text of one failure, with the end of its transcript. */
    public static String failure(CheckResult result, Catalogue catalogue) {
        StringBuilder text = head(result, catalogue);
        List<String> lines = result.transcript().stream().map(Told::line).toList();
        if (lines.size() > LINES + GOOD_TO_HAVE) {
            text.append("      (").append(lines.size() - LINES).append(" earlier lines are in the other reports)\n");
            lines = lines.subList(lines.size() - LINES, lines.size());
        }
        lines.forEach(line -> text.append("      ").append(line).append('\n'));
        return text.toString();
    }

    private static StringBuilder head(CheckResult result, Catalogue catalogue) {
        StringBuilder text = new StringBuilder();
        text.append(result.verdict()).append("  ").append(result.check()).append('\n');
        text.append("    ").append(result.message().replace("\n", "\n    ")).append('\n');
        for (String id : result.check().requirements()) {
            text.append("    ")
                    .append(id)
                    .append(": ")
                    .append(Told.requirement(catalogue, id))
                    .append('\n');
        }
        return text;
    }

    /** What the runner found out about the back-end before the checks. */
    public static String found(RunReport report) {
        return "Features           " + FeatureNames.features(report.offered(), report.device())
                + "\nProtocol features  " + FeatureNames.protocol(report.offeredProtocol())
                + "\nRings tested with  "
                + (report.sample().isEmpty()
                        ? "none: the runner found no request that the device serves, so the checks of rings are skipped"
                        : report.sample())
                + "\n\n";
    }

    /** The counts for each group of requirements, and their sum. */
    public static String summary(RunReport report) {
        Table table = new Table(heads());
        List<String> groups =
                report.results().stream().map(TerminalReport::group).distinct().toList();
        for (String group : groups) {
            row(
                    table,
                    group,
                    report.results().stream()
                            .filter(result -> group(result).equals(group))
                            .toList());
        }
        row(table, "all", report.results());
        StringBuilder notes = new StringBuilder();
        report.notes().forEach(note -> notes.append("\nnote: ").append(note));
        long known = report.results().stream().filter(report::isKnown).count();
        return table
                + (notes.isEmpty() ? "" : notes + "\n")
                + String.format(
                        Locale.ROOT,
                        "%nin %.1f s%s%n",
                        report.nanos() / 1e9,
                        known == 0 ? "" : ", " + known + " of the failures known");
    }

    private static String[] heads() {
        List<String> heads = new ArrayList<>();
        heads.add("REQUIREMENTS");
        heads.add(">CHECKS");
        for (Verdict verdict : Verdict.values()) {
            heads.add(">" + verdict);
        }
        return heads.toArray(String[]::new);
    }

    private static void row(Table table, String name, List<CheckResult> results) {
        List<String> cells = new ArrayList<>();
        cells.add(name);
        cells.add(String.valueOf(results.size()));
        for (Verdict verdict : Verdict.values()) {
            long count = results.stream()
                    .filter(result -> result.verdict() == verdict)
                    .count();
            cells.add(count == 0 ? "" : String.valueOf(count));
        }
        table.add(cells.toArray(String[]::new));
    }

    /** The first two words of the requirement's id. */
    private static String group(CheckResult result) {
        String[] words = result.check().requirement().split("\\.", -1);
        return words.length > 2 ? words[0] + "." + words[1] : words[0];
    }
}
