package org.exomem.reference.html;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.exomem.reference.Document;
import org.exomem.reference.Party;
import org.exomem.reference.Requirement;
import org.exomem.reference.SectionCount;
import org.exomem.reference.Source;

/** The page of a document of the catalogue that is not a chapter: all its entries, by group. */
record DocumentPage(Document document) {
    String name() {
        return "requirements-" + document.file().replaceFirst("\\.[a-z]+$", "") + ".html";
    }

    Page render(Facts facts, SearchIndex index) {
        Source source = document.source();
        StringBuilder html = new StringBuilder();
        List<Page.Section> sections = new ArrayList<>();
        html.append("<h1>").append(Html.escape(source.title())).append(' ');
        html.append(Html.escape(source.version())).append("</h1>\n");
        html.append("<p class=\"lead\">").append(summary()).append("</p>\n");
        html.append(about());
        groups().forEach((group, requirements) -> {
            sections.add(new Page.Section("group-" + group, group, 2));
            html.append("<section id=\"group-")
                    .append(group)
                    .append("\">\n<h2>")
                    .append(group);
            html.append("<a class=\"anchor\" href=\"#group-").append(group);
            html.append("\" aria-label=\"Link to this group\">#</a></h2>\n");
            for (Requirement requirement : requirements) {
                html.append(facts.entry(requirement));
                index(index, requirement, name());
            }
            html.append("</section>\n");
        });
        return new Page(name(), source.title(), Page.Kind.CATALOGUE, html.toString(), sections);
    }

    /** Adds a requirement to the search index. */
    static void index(SearchIndex index, Requirement requirement, String page) {
        String names = String.join(" ", requirement.aliases()) + " " + String.join(" ", requirement.see());
        index.add(
                page + "#" + requirement.id(),
                requirement.id(),
                requirement.strength() + " · " + requirement.binds(),
                requirement.statement(),
                requirement.note().orElse("") + " " + names + " " + requirement.section());
    }

    private Map<String, List<Requirement>> groups() {
        Map<String, List<Requirement>> groups = new LinkedHashMap<>();
        for (Requirement requirement : document.requirements()) {
            groups.computeIfAbsent(requirement.group(), group -> new ArrayList<>())
                    .add(requirement);
        }
        return groups;
    }

    private String summary() {
        List<Requirement> all = document.requirements();
        Map<Party, Long> parties = all.stream()
                .collect(Collectors.groupingBy(Requirement::binds, LinkedHashMap::new, Collectors.counting()));
        String binding = parties.entrySet().stream()
                .map(party -> party.getValue() + " bind the " + party.getKey())
                .collect(Collectors.joining(", "));
        return Html.escape(Html.count(all.size(), "requirement") + ": " + binding + ". "
                + all.stream().filter(Requirement::observable).count() + " can be observed from outside.");
    }

    private String about() {
        Source source = document.source();
        StringBuilder html =
                new StringBuilder("<details class=\"about\"><summary>The source, and how its statements were"
                        + " counted</summary>\n<dl>");
        fact(html, "Published by", Html.escape(source.publisher()));
        fact(
                html,
                "At",
                source.url().startsWith("http") ? Html.link(source.url(), source.url()) : Html.escape(source.url()));
        fact(html, "Date", Html.escape(source.date()));
        fact(html, "Text", Html.escape(source.text()));
        fact(html, "Method", Html.escape(source.method()));
        html.append(
                "</dl>\n<div class=\"scroll\"><table><thead><tr><th>section</th><th class=\"number\">found</th><th class=\"number\">catalogued</th>"
                        + "<th class=\"number\">left out</th><th class=\"number\">added</th><th>reason</th></tr></thead><tbody>\n");
        for (SectionCount count : document.counts()) {
            html.append("<tr><td>").append(Html.escape(count.section())).append("</td>");
            for (int number : List.of(count.found(), count.catalogued(), count.leftOut(), count.added())) {
                html.append("<td class=\"number\">").append(number).append("</td>");
            }
            html.append("<td>").append(Html.escape(count.reason().orElse(""))).append("</td></tr>\n");
        }
        return html.append("</tbody></table></div></details>\n").toString();
    }

    private static void fact(StringBuilder html, String name, String value) {
        if (!value.isEmpty()) {
            html.append("<dt>").append(name).append("</dt><dd>").append(value).append("</dd>");
        }
    }
}
