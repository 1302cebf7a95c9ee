package org.exomem.reference.html;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.exomem.reference.Catalogue;
import org.exomem.reference.Document;
import org.exomem.reference.Requirement;

/**
 * The matrix: each observable requirement of the documents in YAML, the checks that are about it, and their results for
 * each subject. Rules of chapters are not in it, because exomem's own tests check them.
 */
final class MatrixPage {
    static final String NAME = "matrix.html";

    private final Catalogue catalogue;
    private final Addresses addresses;
    private final Results results;

    MatrixPage(Catalogue catalogue, Addresses addresses, Results results) {
        this.catalogue = catalogue;
        this.addresses = addresses;
        this.results = results;
    }

    Page render() {
        List<Requirement> observable = catalogue.documents().stream()
                .filter(document -> !document.isChapter())
                .flatMap(document -> document.requirements().stream())
                .filter(Requirement::observable)
                .toList();
        StringBuilder html = new StringBuilder("<h1>Conformance</h1>\n<p class=\"lead\">");
        long checked = observable.stream()
                .filter(each -> !results.checks(each.id()).isEmpty())
                .count();
        html.append(observable.size())
                .append(
                        " requirements of devices, drivers, back-ends and front-ends can be observed over vhost-user. ");
        if (results.runs().isEmpty()) {
            html.append(
                    "This copy of the reference contains no results. <code>exomem spec --html DIR --results REPORT.json</code>"
                            + " creates a copy with the results in reports of <code>exomem conform</code>.");
        } else {
            html.append(checked)
                    .append(" of them have a check. A requirement with several checks shows the worst result.");
        }
        html.append("</p>\n");
        if (!results.runs().isEmpty()) {
            html.append(subjects());
        }
        html.append(filters(observable)).append(table(observable));
        return new Page(NAME, "Conformance matrix", Page.Kind.OVERVIEW, html.toString(), List.of());
    }

    /** The number of requirements with each verdict, for each subject. */
    private String subjects() {
        StringBuilder html =
                new StringBuilder("<div class=\"scroll\"><table class=\"subjects\"><thead><tr><th>subject</th>");
        List<Verdict> verdicts =
                List.of(Verdict.PASS, Verdict.REFUSED, Verdict.SKIP, Verdict.FAIL, Verdict.HANG, Verdict.ERROR);
        verdicts.forEach(verdict ->
                html.append("<th class=\"number\">").append(verdict.label()).append("</th>"));
        html.append("<th>version</th><th>date</th></tr></thead><tbody>\n");
        for (Run run : results.runs()) {
            Map<Verdict, Long> counts = catalogue.requirements().stream()
                    .flatMap(each -> results.verdict(each.id(), run).stream())
                    .collect(Collectors.groupingBy(
                            each -> each, () -> new EnumMap<>(Verdict.class), Collectors.counting()));
            html.append("<tr><th scope=\"row\">")
                    .append(Html.escape(run.subject()))
                    .append("</th>");
            for (Verdict verdict : verdicts) {
                html.append("<td class=\"number\">")
                        .append(counts.getOrDefault(verdict, 0L))
                        .append("</td>");
            }
            html.append("<td>").append(Html.escape(run.version())).append("</td><td class=\"date\">");
            html.append(Html.escape(run.date())).append("</td></tr>\n");
        }
        html.append(
                "</tbody></table></div>\n<details class=\"about\"><summary>How to repeat these runs</summary><dl>\n");
        for (Run run : results.runs()) {
            if (!run.command().isEmpty()) {
                html.append("<dt>").append(Html.escape(run.subject())).append("</dt><dd><code>");
                html.append(Html.escape(run.command())).append("</code></dd>\n");
            }
        }
        return html.append("</dl></details>\n").toString();
    }

    private String filters(List<Requirement> observable) {
        StringBuilder html = new StringBuilder("<form class=\"filters\" id=\"filters\" hidden=\"hidden\">\n");
        html.append("<label>Words <input type=\"text\" name=\"words\" autocomplete=\"off\" /></label>\n");
        choice(
                html,
                "Document",
                "document",
                catalogue.documents().stream()
                        .filter(document -> !document.isChapter())
                        .map(document -> document.source().title())
                        .distinct());
        choice(
                html,
                "Binds",
                "binds",
                observable.stream().map(each -> each.binds().toString()).distinct());
        choice(
                html,
                "Strength",
                "strength",
                observable.stream().map(each -> each.strength().toString()).distinct());
        if (!results.runs().isEmpty()) {
            choice(
                    html,
                    "Verdict",
                    "verdict",
                    Stream.concat(Stream.of(Verdict.values()).map(Verdict::word), Stream.of("no check")));
            choice(
                    html,
                    "Subject",
                    "subject",
                    results.runs().stream().map(Run::subject).distinct());
        }
        html.append(
                "<button type=\"reset\">Clear</button>\n<output id=\"shown\" aria-live=\"polite\"></output>\n</form>\n");
        return html.toString();
    }

    private static void choice(StringBuilder html, String label, String name, Stream<String> values) {
        html.append("<label>")
                .append(label)
                .append(" <select name=\"")
                .append(name)
                .append("\"><option value=\"\">any</option>");
        values.forEach(
                value -> html.append("<option>").append(Html.escape(value)).append("</option>"));
        html.append("</select></label>\n");
    }

    private String table(List<Requirement> observable) {
        StringBuilder html =
                new StringBuilder("<div class=\"scroll tall\" tabindex=\"0\"><table class=\"matrix\" id=\"matrix\">"
                        + "<thead><tr><th>requirement</th>");
        for (Run run : results.runs()) {
            html.append("<th class=\"subject\">")
                    .append(Html.escape(run.subject()))
                    .append("</th>");
        }
        html.append("<th class=\"statement\">statement and checks</th></tr></thead>\n<tbody>\n");
        observable.forEach(requirement -> row(html, requirement));
        return html.append("</tbody></table></div>\n").toString();
    }

    private void row(StringBuilder html, Requirement requirement) {
        Document document = catalogue.documentOf(requirement);
        html.append("<tr data-document=\"").append(Html.escape(document.source().title()));
        html.append("\" data-binds=\"").append(Html.escape(requirement.binds().toString()));
        html.append("\" data-strength=\"").append(requirement.strength()).append("\">");
        html.append("<th scope=\"row\">")
                .append(addresses.link(requirement.id()))
                .append("<br />");
        html.append(Facts.labels(requirement)).append("</th>");
        for (Run run : results.runs()) {
            Optional<Verdict> verdict = results.verdict(requirement.id(), run);
            String messages = results.of(requirement.id(), run).stream()
                    .filter(result -> verdict.filter(result.verdict()::equals).isPresent())
                    .map(Run.Result::message)
                    .filter(message -> !message.isEmpty())
                    .distinct()
                    .collect(Collectors.joining("\n"));
            html.append("<td class=\"result\"");
            if (!messages.isEmpty()) {
                html.append(" title=\"").append(Html.escape(messages)).append('"');
            }
            html.append('>').append(verdict.map(Verdict::label).orElse("")).append("</td>");
        }
        html.append("<td class=\"statement\">").append(addresses.prose(requirement.statement()));
        Set<String> checks = results.checks(requirement.id());
        if (!checks.isEmpty()) {
            html.append("<ul>");
            checks.forEach(
                    check -> html.append("<li>").append(addresses.prose(check)).append("</li>"));
            html.append("</ul>");
        }
        html.append("</td></tr>\n");
    }
}
