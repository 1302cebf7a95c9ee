package org.exomem.reference.html;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.exomem.reference.Catalogue;
import org.exomem.reference.Requirement;
import org.exomem.reference.Strength;

/**
 * The facts beside a statement: strength and party, references to the same statement elsewhere, and the results of
 * checks.
 */
final class Facts {
    private final Catalogue catalogue;
    private final Addresses addresses;
    private final Results results;

    Facts(Catalogue catalogue, Addresses addresses, Results results) {
        this.catalogue = catalogue;
        this.addresses = addresses;
        this.results = results;
    }

    /** Strength, party and other labels of one or two words. */
    static String labels(Requirement requirement) {
        return labels(requirement, false);
    }

    private static String labels(Requirement requirement, boolean withoutParty) {
        StringBuilder html = new StringBuilder();
        html.append("<span class=\"strength ")
                .append(kind(requirement.strength()))
                .append("\">");
        html.append(requirement.strength()).append("</span>");
        if (!withoutParty) {
            html.append(" <span class=\"binds\">");
            html.append(Html.escape(requirement.binds().toString())).append("</span>");
        }
        if (!requirement.observable()) {
            html.append(" <span class=\"unobservable\">not observable</span>");
        }
        return html.toString();
    }

    private static String kind(Strength strength) {
        return strength.toString().toLowerCase(Locale.ROOT).replace(" not", "");
    }

    /** A whole entry of the catalogue. */
    String entry(Requirement requirement) {
        String id = Html.escape(requirement.id());
        StringBuilder html = new StringBuilder();
        html.append("<article class=\"entry\" id=\"").append(id).append("\">\n<header><a class=\"self\" href=\"#");
        html.append(id)
                .append("\">")
                .append(id)
                .append("</a> ")
                .append(labels(requirement))
                .append("</header>\n");
        html.append("<p>").append(addresses.prose(requirement.statement())).append("</p>\n");
        requirement
                .note()
                .ifPresent(note -> html.append("<p class=\"note\">")
                        .append(addresses.prose(note))
                        .append("</p>\n"));
        requirement
                .unobservable()
                .ifPresent(reason -> html.append("<p class=\"note\">Not observable: ")
                        .append(addresses.prose(reason))
                        .append("</p>\n"));
        html.append("<p class=\"facts\"><span class=\"section\">")
                .append(Html.escape(requirement.section()))
                .append("</span>");
        fact(html, "same as", requirement.aliases());
        fact(html, "see", requirement.see());
        html.append("</p>\n");
        return html.append(checks(requirement)).append("</article>\n").toString();
    }

    /**
     * The facts below a rule of a chapter.
     *
     * @param saysParty whether its row names the party that it binds
     */
    String ofRule(String rule, boolean saysParty) {
        Optional<Requirement> own = catalogue.byId(rule);
        Set<String> shown = own.stream().flatMap(each -> each.see().stream()).collect(Collectors.toSet());
        List<Requirement> naming = catalogue.byRule(rule).stream()
                .filter(each -> !each.id().equals(rule) && !shown.contains(each.id()))
                .toList();
        StringBuilder html = new StringBuilder();
        own.ifPresent(each -> html.append(labels(each, saysParty)));
        own.ifPresent(each -> fact(html, "see", each.see()));
        fact(html, "same as", ids(naming.stream().filter(each -> each.aliases().contains(rule))));
        fact(html, "see", ids(naming.stream().filter(each -> !each.aliases().contains(rule))));
        String line = html.isEmpty() ? "" : "<span class=\"facts\">" + html + "</span>";
        return line + own.map(this::checks).orElse("");
    }

    private static List<String> ids(Stream<Requirement> requirements) {
        return requirements.map(Requirement::id).toList();
    }

    private void fact(StringBuilder html, String name, List<String> ids) {
        if (!ids.isEmpty()) {
            html.append(" <span class=\"fact\">").append(name).append(' ');
            html.append(ids.stream().map(addresses::link).collect(Collectors.joining(", ")));
            html.append("</span>");
        }
    }

    /**
     * The checks of a requirement and their results; empty if there are none. Uses only elements that may be in a
     * table's cell.
     */
    private String checks(Requirement requirement) {
        Set<String> checks = results.checks(requirement.id());
        if (checks.isEmpty()) {
            return "";
        }
        StringBuilder html = new StringBuilder("<details class=\"checks\"><summary>");
        html.append(Html.count(checks.size(), "check"))
                .append(": ")
                .append(summary(requirement))
                .append("</summary>\n");
        for (String check : checks) {
            html.append("<div class=\"check\"><p>")
                    .append(addresses.prose(check))
                    .append("</p><ul>");
            for (Run run : results.runs()) {
                for (Run.Result result : results.of(requirement.id(), run)) {
                    if (result.check().equals(check)) {
                        html.append("<li>")
                                .append(result.verdict().label())
                                .append(' ')
                                .append(Html.escape(run.subject()));
                        if (!result.message().isEmpty()) {
                            html.append(": ").append(addresses.linked(result.message()));
                        }
                        html.append("</li>");
                    }
                }
            }
            html.append("</ul></div>\n");
        }
        return html.append("</details>\n").toString();
    }

    /** The number of subjects with each verdict, the weightiest verdict first. */
    private String summary(Requirement requirement) {
        List<Verdict> verdicts = new ArrayList<>();
        for (Run run : results.runs()) {
            results.verdict(requirement.id(), run).ifPresent(verdicts::add);
        }
        return verdicts.stream()
                .distinct()
                .sorted(Comparator.reverseOrder())
                .map(verdict -> verdict.label() + " "
                        + verdicts.stream().filter(verdict::equals).count())
                .collect(Collectors.joining(" "));
    }
}
