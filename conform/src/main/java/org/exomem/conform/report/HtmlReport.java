package org.exomem.conform.report;

import java.io.IOException;
import java.io.InputStream;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.trial.FeatureNames;
import org.exomem.conform.wire.Transcript;
import org.exomem.reference.Catalogue;
import org.exomem.reference.Requirement;

/**
 * A page for a browser: counts, a search, and each check with its requirement and its outcome. A single file without
 * references to others.
 */
final class HtmlReport {
    private static final DateTimeFormatter MINUTE =
            DateTimeFormatter.ofPattern("d MMMM yyyy, HH:mm 'UTC'", Locale.ROOT);

    private final Catalogue catalogue;
    private final StringBuilder page = new StringBuilder();

    private HtmlReport(Catalogue catalogue) {
        this.catalogue = catalogue;
    }

    static void write(RunReport report, Catalogue catalogue, Writer to) throws IOException {
        HtmlReport html = new HtmlReport(catalogue);
        html.page(report);
        to.write(html.page.toString());
    }

    private void page(RunReport report) throws IOException {
        page.append("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n")
                .append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>")
                .append(escaped("exomem conform: " + report.subject()))
                .append("</title>\n<style>\n")
                .append(resource("report.css"))
                .append("</style>\n");
        head(report);
        tiles(report);
        page.append("<input type=\"search\" aria-label=\"Search\" placeholder=\"Search: ids, words, messages\">\n")
                .append("<p class=\"soft\" id=\"left\" role=\"status\"></p>\n");
        List<CheckResult> bad = report.results().stream().filter(report::isNews).toList();
        List<CheckResult> known =
                report.results().stream().filter(report::isKnown).toList();
        section("Failures", bad, bad.size() <= 3);
        section("Known failures", known, false);
        notes(report.notes());
        for (Verdict verdict : Verdict.values()) {
            List<CheckResult> good = report.results().stream()
                    .filter(result -> result.verdict() == verdict && verdict.isGood())
                    .toList();
            section(heading(verdict), good, false);
        }
        page.append("<script>\n").append(resource("report.js")).append("</script>\n</html>\n");
    }

    private static String heading(Verdict verdict) {
        return switch (verdict) {
            case PASS -> "Kept";
            case REFUSED -> "Refused by closing the connection, which is acceptable";
            case SKIP -> "Skipped, or not observed";
            case FAIL, HANG, ERROR -> "Failures";
        };
    }

    private void section(String heading, List<CheckResult> results, boolean open) {
        if (!results.isEmpty()) {
            page.append("<section>\n<h2>").append(heading).append("</h2>\n");
            results.forEach(result -> check(result, open));
            page.append("</section>\n");
        }
    }

    private void notes(List<String> notes) {
        if (!notes.isEmpty()) {
            page.append("<section class=\"notes\">\n<h2>Notes</h2>\n<ul>\n");
            notes.forEach(note -> page.append("<li>").append(escaped(note)).append("</li>\n"));
            page.append("</ul>\n</section>\n");
        }
    }

    private void head(RunReport report) {
        page.append("<h1>").append(escaped(report.subject())).append("</h1>\n<p class=\"soft\">");
        page.append("Conformance to VIRTIO and vhost-user, tested by exomem conform on ")
                .append(MINUTE.format(report.begin().atOffset(ZoneOffset.UTC)))
                .append(" in ")
                .append(String.format(Locale.ROOT, "%.1f", report.nanos() / 1e9))
                .append(" s.</p>\n<dl class=\"facts\">\n");
        fact("Verdict", verdict(report));
        fact("Features", FeatureNames.features(report.offered(), report.device()));
        fact("Protocol features", FeatureNames.protocol(report.offeredProtocol()));
        fact(
                "Request of the ring checks",
                report.sample().isEmpty() ? "none found that the device serves" : report.sample());
        page.append("</dl>\n");
    }

    private static String verdict(RunReport report) {
        long news = report.results().stream().filter(report::isNews).count();
        if (news > 0) {
            return news + " of " + report.results().size() + (news == 1 ? " check" : " checks") + " failed";
        }
        return report.results().stream().anyMatch(report::isKnown)
                ? "no new failures: all failures are known"
                : "no failures";
    }

    private void fact(String name, String value) {
        page.append("<dt>")
                .append(name)
                .append("</dt><dd>")
                .append(escaped(value))
                .append("</dd>\n");
    }

    private void tiles(RunReport report) {
        page.append("<div class=\"tiles\" role=\"group\" aria-label=\"Show one verdict only\">\n");
        for (Verdict verdict : Verdict.values()) {
            if (report.count(verdict) > 0) {
                page.append("<button data-verdict=\"")
                        .append(verdict)
                        .append("\" aria-pressed=\"false\"><b class=\"")
                        .append(verdict)
                        .append("\">")
                        .append(report.count(verdict))
                        .append("</b>")
                        .append(verdict)
                        .append("</button>\n");
            }
        }
        page.append("</div>\n");
    }

    private void check(CheckResult result, boolean open) {
        page.append("<details data-verdict=\"")
                .append(result.verdict())
                .append(open ? "\" open>" : "\">")
                .append("<summary><span class=\"verdict ")
                .append(result.verdict())
                .append("\">")
                .append(result.verdict())
                .append("</span><span class=\"id\">")
                .append(escaped(result.check().requirement()))
                .append("</span><span class=\"name\">")
                .append(escaped(result.check().name()))
                .append("</span></summary>\n<div class=\"inside\">\n");
        if (!result.message().isEmpty()) {
            page.append("<p class=\"message\">")
                    .append(escaped(result.message()))
                    .append("</p>\n");
        }
        result.check().requirements().forEach(this::requirement);
        page.append("<p class=\"soft\">To repeat: <code>exomem conform … --only ")
                .append(escaped(result.check().requirement()))
                .append("</code></p>\n");
        if (!result.transcript().isEmpty()) {
            page.append("<pre>");
            result.transcript().forEach(this::line);
            page.append("</pre>\n");
        }
        page.append("</div></details>\n");
    }

    private void requirement(String id) {
        catalogue
                .byId(id)
                .ifPresent(requirement -> page.append("<blockquote><p><b>")
                        .append(requirement.strength())
                        .append("</b> (")
                        .append(requirement.binds())
                        .append(") ")
                        .append(escaped(requirement.statement()))
                        .append("</p><p class=\"soft\"><code>")
                        .append(escaped(id))
                        .append("</code>, ")
                        .append(source(requirement))
                        .append("</p></blockquote>\n"));
    }

    private String source(Requirement requirement) {
        var source = catalogue.documentOf(requirement).source();
        // A chapter of exomem has only a path, which is no valid link from a report.
        String document = source.url().startsWith("http")
                ? "<a href=\"" + escaped(source.url()) + "\">" + escaped(source.name()) + "</a>"
                : escaped(source.name());
        return document + ", " + escaped(requirement.section());
    }

    private void line(Transcript.Line line) {
        page.append(String.format(Locale.ROOT, "%8.1f ms  ", line.nanos() / 1e6))
                .append(escaped(line.text()));
        if (line.bytes().length > 0) {
            page.append("  <span class=\"bytes\">")
                    .append(Told.hex(line.bytes()))
                    .append("</span>");
        }
        page.append('\n');
    }

    private static String resource(String name) throws IOException {
        try (InputStream in = Objects.requireNonNull(HtmlReport.class.getResourceAsStream(name))) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
