package org.exomem.reference.html;

import java.util.List;

/** The parts that all pages share: the head, the search, and the navigation. */
record Frame(List<Page> pages) {
    static final String STYLE = "reference.css";
    static final String SCRIPT = "reference.js";
    static final String INDEX = "search-index.js";

    Frame {
        pages = List.copyOf(pages);
    }

    String html(Page page) {
        boolean overview = page.name().equals(OverviewPage.NAME);
        StringBuilder html = new StringBuilder();
        html.append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\" />\n");
        html.append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n");
        html.append("<meta name=\"color-scheme\" content=\"light dark\" />\n<title>");
        html.append(Html.escape(overview ? page.title() : page.title() + " · exomem reference"));
        html.append("</title>\n<link rel=\"icon\" href=\"data:,\" />\n");
        html.append("<link rel=\"stylesheet\" href=\"").append(STYLE).append("\" />\n");
        html.append("<script src=\"").append(SCRIPT).append("\"></script>\n</head>\n<body>\n");
        html.append("""
                <a class="jump" href="#content">Skip to the content</a>
                <header class="top">
                <button type="button" id="menu" aria-expanded="false" aria-controls="navigation" aria-label="Contents">☰</button>
                <a class="home" href="index.html"><b>exomem</b> reference</a>
                <div class="search" role="search">
                <input type="search" id="query" placeholder="Search" aria-label="Search the reference" autocomplete="off" \
                spellcheck="false" role="combobox" aria-expanded="false" aria-controls="found" aria-autocomplete="list" />
                <kbd aria-hidden="true">/</kbd>
                <div id="found" role="listbox" aria-label="Search results" hidden="hidden"></div>
                </div>
                <button type="button" id="theme" aria-label="Change between light and dark">◐</button>
                </header>
                """);
        html.append("<div class=\"page\">\n<nav id=\"navigation\" aria-label=\"Contents\">\n");
        for (Page.Kind kind : Page.Kind.values()) {
            navigation(html, kind, page);
        }
        html.append("</nav>\n<main id=\"content\" tabindex=\"-1\">\n")
                .append(page.body())
                .append("</main>\n</div>\n");
        return html.append("</body>\n</html>\n").toString();
    }

    private void navigation(StringBuilder html, Page.Kind kind, Page current) {
        List<Page> those = pages.stream().filter(page -> page.kind() == kind).toList();
        if (those.isEmpty()) {
            return;
        }
        if (!kind.heading().isEmpty()) {
            html.append("<h2>").append(kind.heading()).append("</h2>\n");
        }
        html.append("<ul>\n");
        for (Page page : those) {
            boolean here = page.name().equals(current.name());
            html.append("<li><a href=\"").append(page.name()).append('"');
            html.append(here ? " aria-current=\"page\"" : "")
                    .append('>')
                    .append(Html.escape(page.title()))
                    .append("</a>");
            if (here && !page.sections().isEmpty()) {
                html.append("\n<ul class=\"sections\">\n");
                for (Page.Section section : page.sections()) {
                    html.append("<li class=\"level").append(section.level()).append("\">");
                    html.append(Html.link("#" + section.anchor(), section.title()))
                            .append("</li>\n");
                }
                html.append("</ul>\n");
            }
            html.append("</li>\n");
        }
        html.append("</ul>\n");
    }
}
