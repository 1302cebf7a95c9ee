package org.exomem.reference;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A chapter of {@code spec/} as a document of the catalogue: each rule with a statement of its own is a requirement.
 */
final class ChapterDocument {
    private static final String METHOD =
            "A statement is a rule with an id: a row of a table, a paragraph, a list item or a"
                    + " cell. The rules are read from the chapter itself. A rule that repeats an entry of another document has no"
                    + " entry of its own; the other entry names it.";
    private static final String LEFT_OUT = "They repeat another document, whose entries in the catalogue name them.";

    /** The device that a rule is about, by the beginning of its id. All other rules are about any device. */
    private static final Map<String, Devices> DEVICES = Map.of(
            "FPB", Devices.BALLOON,
            "BAL", Devices.BALLOON,
            "STA-BAL", Devices.BALLOON,
            "MEM", Devices.MEM,
            "STA-MEM", Devices.MEM);

    private ChapterDocument() {}

    /**
     * Creates the document.
     *
     * @param others the catalogues of other documents, whose entries name rules
     * @throws CatalogueException if a rule has no word of RFC 2119, or several of different strength
     */
    static Document of(Chapter chapter, List<Document> others) {
        Map<String, List<String>> namedBy = namedBy(others);
        List<Requirement> requirements = new ArrayList<>();
        Map<String, Integer> found = new LinkedHashMap<>();
        Map<String, Integer> catalogued = new HashMap<>();
        for (Chapter.Rule rule : chapter.rules()) {
            found.merge(rule.section(), 1, Integer::sum);
            List<String> names = namedBy.getOrDefault(rule.id(), List.of());
            if (names.isEmpty() || !rule.restates()) {
                catalogued.merge(rule.section(), 1, Integer::sum);
                requirements.add(requirement(chapter, rule, names));
            }
        }
        List<SectionCount> counts = new ArrayList<>();
        found.forEach((section, rules) -> {
            int entries = catalogued.getOrDefault(section, 0);
            int leftOut = rules - entries;
            counts.add(new SectionCount(
                    section, rules, entries, leftOut, leftOut > 0 ? Optional.of(LEFT_OUT) : Optional.empty(), 0));
        });
        return new Document(chapter.file(), source(chapter, found.keySet()), counts, requirements);
    }

    private static Source source(Chapter chapter, Set<String> sections) {
        return new Source(
                chapter.title(),
                "",
                "exomem",
                "spec/" + chapter.file(),
                "",
                "The chapter of this version of exomem.",
                List.copyOf(sections),
                METHOD);
    }

    private static Requirement requirement(Chapter chapter, Chapter.Rule rule, List<String> see) {
        return new Requirement(
                rule.id(),
                List.of(),
                see,
                strength(chapter, rule),
                rule.binds(),
                rule.section(),
                rule.statement(),
                rule.origin().filter(origin -> !origin.equals("Our own")).map(origin -> "Origin: " + origin + "."),
                Optional.ofNullable(chapter.notObservable().get(rule.id())),
                devices(rule.id()));
    }

    private static Strength strength(Chapter chapter, Chapter.Rule rule) {
        List<Strength> words = Strength.wordsOf(rule.statement());
        if (words.isEmpty()) {
            throw new CatalogueException(chapter.file() + ": " + rule.id() + " has no MUST, SHOULD or MAY");
        }
        Set<Strength> levels = new LinkedHashSet<>();
        words.forEach(word -> levels.add(word.positive()));
        if (levels.size() > 1) {
            throw new CatalogueException(
                    chapter.file() + ": " + rule.id()
                            + " has words of several strengths: split it into several rules, or write the weaker ones without such a word");
        }
        return words.getFirst();
    }

    private static Devices devices(String id) {
        String group = id.substring(0, id.lastIndexOf('-'));
        String letters = id.substring(0, id.indexOf('-'));
        return DEVICES.getOrDefault(group, DEVICES.getOrDefault(letters, Devices.ANY));
    }

    /** The ids of the entries that name a rule, by the rule. */
    private static Map<String, List<String>> namedBy(List<Document> documents) {
        Map<String, List<String>> namedBy = new HashMap<>();
        for (Document document : documents) {
            for (Requirement requirement : document.requirements()) {
                requirement.aliases().forEach(rule -> name(namedBy, rule, requirement));
                requirement.see().forEach(rule -> name(namedBy, rule, requirement));
            }
        }
        return namedBy;
    }

    private static void name(Map<String, List<String>> namedBy, String rule, Requirement requirement) {
        namedBy.computeIfAbsent(rule, each -> new ArrayList<>()).add(requirement.id());
    }
}
