package org.exomem.reference.html;

import java.util.List;
import org.exomem.reference.Catalogue;
import org.exomem.reference.Document;
import org.exomem.reference.Requirement;

/** The first page: what the reference contains, with numbers. */
record OverviewPage(Catalogue catalogue, Results results) {
    static final String NAME = "index.html";

    Page render(List<DocumentPage> documents, List<ChapterPage> chapters) {
        List<Requirement> all = catalogue.requirements();
        StringBuilder html = new StringBuilder("<h1>The exomem reference</h1>\n");
        html.append(
                "<p class=\"lead\">The requirements of VIRTIO and vhost-user for devices, drivers, back-ends and front-ends, one"
                        + " statement each, and the chapters that specify exomem. Each statement has an id. Tests, code and"
                        + " the reports of <code>exomem conform</code> refer to it.</p>\n");
        html.append("<ul class=\"figures\">");
        figure(html, all.size(), "requirements");
        figure(html, all.stream().filter(Requirement::observable).count(), "observable from outside");
        if (!results.runs().isEmpty()) {
            figure(
                    html,
                    all.stream()
                            .filter(each -> !results.checks(each.id()).isEmpty())
                            .count(),
                    "with a check");
            figure(html, results.runs().size(), "devices and back-ends tested");
        }
        figure(
                html,
                chapters.stream().mapToInt(chapter -> chapter.rules().size()).sum(),
                "rules in the chapters");
        html.append(
                "</ul>\n<h2 id=\"requirements\">Requirements</h2>\n<p>Each entry binds one side. It is in our own words, and names the"
                        + " section of the source. MUST, SHOULD and MAY are defined in RFC 2119. The <a href=\"matrix.html\">conformance"
                        + " matrix</a> lists the entries that can be observed, with the checks and their results.</p>\n");
        html.append(
                "<div class=\"scroll\"><table><thead><tr><th>document</th><th class=\"number\">requirements</th><th class=\"number\">observable</th>"
                        + "<th>read</th></tr></thead><tbody>\n");
        for (DocumentPage page : documents) {
            Document document = page.document();
            html.append("<tr><td>")
                    .append(Html.link(page.name(), document.source().title()));
            html.append(' ').append(Html.escape(document.source().version()));
            html.append("</td><td class=\"number\">")
                    .append(document.requirements().size());
            html.append("</td><td class=\"number\">");
            html.append(document.requirements().stream()
                    .filter(Requirement::observable)
                    .count());
            html.append("</td><td>")
                    .append(Html.escape(document.source().date()))
                    .append("</td></tr>\n");
        }
        html.append("</tbody></table></div>\n<h2 id=\"chapters\">Chapters of exomem</h2>\n<p>Layouts, states and rules."
                + " A rule that repeats an entry above has a link to the entry, and the entry has a link to the"
                + " rule.</p>\n<div class=\"scroll\"><table><thead><tr><th>chapter</th><th class=\"number\">rules</th><th>ids</th></tr></thead>"
                + "<tbody>\n");
        for (ChapterPage chapter : chapters) {
            html.append("<tr><td>").append(Html.link(chapter.name(), chapter.title()));
            html.append("</td><td class=\"number\">")
                    .append(chapter.rules().size())
                    .append("</td><td>");
            if (!chapter.rules().isEmpty()) {
                html.append("<code>")
                        .append(chapter.rules().getFirst().replaceFirst("-.*", ""))
                        .append("-…</code>");
            }
            html.append("</td></tr>\n");
        }
        html.append(
                "</tbody></table></div>\n<h2 id=\"keys\">Keys</h2>\n<p><kbd>/</kbd> opens the search, <kbd>↑</kbd> and"
                        + " <kbd>↓</kbd> select a result, <kbd>Enter</kbd> opens it, <kbd>Esc</kbd> closes the search. Search for an id,"
                        + " the start of an id, the number of a section, or words. All words must occur.</p>\n");
        return new Page(NAME, "exomem reference", Page.Kind.OVERVIEW, html.toString(), List.of());
    }

    private static void figure(StringBuilder html, long number, String what) {
        html.append("<li><b>").append(number).append("</b> ").append(what).append("</li>");
    }
}
