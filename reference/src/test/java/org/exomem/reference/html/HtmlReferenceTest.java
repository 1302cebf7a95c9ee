package org.exomem.reference.html;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.exomem.reference.Catalogue;
import org.exomem.reference.Devices;
import org.exomem.reference.Document;
import org.exomem.reference.Party;
import org.exomem.reference.Requirement;
import org.exomem.reference.Source;
import org.exomem.reference.Strength;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/** The pages as a browser would get them, with results of two invented subjects. */
class HtmlReferenceTest {
    private static final Catalogue CATALOGUE = Catalogue.load();
    private static final Run OURS = new Run(
            "exomem balloon",
            "0.1.0",
            "2026-11-28",
            "exomem conform --device balloon",
            List.of(
                    new Run.Result(
                            List.of("balloon.hint.12", "balloon.hint.13"), "an id is shown once", Verdict.PASS, ""),
                    new Run.Result(List.of("balloon.hint.12"), "STOP comes <first>", Verdict.PASS, "")));
    private static final Run OTHERS = new Run(
            "somebody's \"balloon\"",
            "",
            "2026-11-27",
            "",
            List.of(new Run.Result(
                    List.of("balloon.hint.12", "balloon.hint.13"),
                    "an id is shown once",
                    Verdict.FAIL,
                    "0x80000000 came twice & early")));

    private static Map<String, String> files = Map.of();
    private static final Map<String, Element> PAGES = new HashMap<>();

    @BeforeAll
    static void render() throws Exception {
        files = HtmlReference.of(CATALOGUE, List.of(OTHERS, OURS)).files();
        for (Map.Entry<String, String> file : files.entrySet()) {
            if (file.getKey().endsWith(".html")) {
                PAGES.put(file.getKey(), parse(file.getValue()));
            }
        }
    }

    /** A strict parser: an element that is not closed is an error. */
    private static Element parse(String page) throws Exception {
        assertThat(page).startsWith("<!DOCTYPE html>\n");
        return DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new InputSource(new StringReader(page)))
                .getDocumentElement();
    }

    private static List<Element> elements(Element root, String tag) {
        NodeList found = root.getElementsByTagName(tag);
        List<Element> elements = new ArrayList<>();
        for (int i = 0; i < found.getLength(); i++) {
            elements.add((Element) found.item(i));
        }
        return elements;
    }

    private static List<String> attributes(Element root, String tag, String name) {
        return elements(root, tag).stream()
                .map(element -> element.getAttribute(name))
                .filter(value -> !value.isEmpty())
                .toList();
    }

    private static Element page(String name) {
        return Objects.requireNonNull(PAGES.get(name), name);
    }

    /** The element with that id. */
    private static Element at(String page, String id) {
        return elements(page(page), "*").stream()
                .filter(element -> element.getAttribute("id").equals(id))
                .findFirst()
                .orElseThrow(() -> new AssertionError(page + " has no " + id));
    }

    @Test
    void everyLinkLeadsToAPlaceThatIsThere() {
        Set<String> places = new HashSet<>();
        PAGES.forEach((name, page) -> {
            places.add(name);
            attributes(page, "*", "id").forEach(id -> places.add(name + "#" + id));
        });
        List<String> broken = new ArrayList<>();
        PAGES.forEach((name, page) -> {
            for (String href : attributes(page, "a", "href")) {
                if (!href.startsWith("https://") && !places.contains(href.startsWith("#") ? name + href : href)) {
                    broken.add(name + ": " + href);
                }
            }
        });
        assertThat(broken).isEmpty();
    }

    @Test
    void everyIdIsOnAPageOnce() {
        PAGES.forEach(
                (name, page) -> assertThat(attributes(page, "*", "id")).as(name).doesNotHaveDuplicates());
    }

    @Test
    void everyRequirementHasOnePlaceInAllPages() {
        Map<String, Long> places = PAGES.values().stream()
                .flatMap(page -> attributes(page, "*", "id").stream())
                .collect(Collectors.groupingBy(id -> id, Collectors.counting()));
        assertThat(CATALOGUE.requirements())
                .isNotEmpty()
                .allSatisfy(requirement -> assertThat(places).containsEntry(requirement.id(), 1L));
    }

    @Test
    void nothingIsAskedOfAnotherHost() {
        Set<String> sources = CATALOGUE.documents().stream()
                .map(document -> document.source().url())
                .collect(Collectors.toSet());
        PAGES.forEach((name, page) -> {
            assertThat(attributes(page, "a", "href").stream().filter(href -> href.contains(":")))
                    .as(name)
                    .allMatch(sources::contains);
            assertThat(Stream.of("src", "srcset", "data", "action", "poster")
                            .flatMap(attribute -> attributes(page, "*", attribute).stream()))
                    .as(name)
                    .containsExactly("reference.js");
            assertThat(attributes(page, "link", "href")).as(name).containsExactly("data:,", "reference.css");
        });
        assertThat(files.get("reference.css")).doesNotContain("url(", "@import", "//");
        assertThat(files.get("reference.js")).doesNotContain("http", "fetch(", "XMLHttpRequest", "import(");
    }

    @Test
    void aRequirementLeadsToItsRuleAndTheRuleToTheRequirement() {
        assertThat(attributes(at("requirements-virtio.html", "balloon.hint.12"), "a", "href"))
                .contains("balloon.html#BAL-HINT-4");
        assertThat(attributes(at("balloon.html", "BAL-HINT-4"), "a", "href"))
                .contains("requirements-virtio.html#balloon.hint.12");
    }

    @Test
    void everyRuleThatARequirementNamesLeadsBackToIt() {
        Map<String, Element> rules = new HashMap<>();
        PAGES.values()
                .forEach(page -> elements(page, "*").forEach(element -> {
                    if (element.hasAttribute("id")) {
                        rules.put(element.getAttribute("id"), element);
                    }
                }));
        for (Requirement requirement : CATALOGUE.requirements()) {
            for (String rule : requirement.aliases()) {
                Element place = Objects.requireNonNull(rules.get(rule), rule);
                Element whole = place.getTagName().equals("tr") ? place : (Element) place.getParentNode();
                assertThat(attributes(whole, "a", "href"))
                        .as(rule)
                        .anyMatch(href -> href.endsWith("#" + requirement.id()));
            }
        }
    }

    @Test
    void anIdInTheTextOfAChapterIsALink() {
        assertThat(attributes(at("balloon.html", "BAL-INF-7"), "a", "href")).contains("balloon.html#BAL-INF-4");
    }

    @Test
    void theSearchKnowsEveryRequirementAndEverySection() throws IOException {
        String script = Objects.requireNonNull(files.get("search-index.js"));
        JsonNode index = new ObjectMapper().readTree(script.substring(script.indexOf('['), script.lastIndexOf(';')));
        Set<String> labels = new HashSet<>();
        Set<String> places = new HashSet<>();
        PAGES.forEach((name, page) -> {
            places.add(name);
            attributes(page, "*", "id").forEach(id -> places.add(name + "#" + id));
        });
        for (JsonNode entry : index) {
            labels.add(entry.get(1).asText());
            assertThat(places).contains(entry.get(0).asText());
        }
        assertThat(labels)
                .containsAll(
                        CATALOGUE.requirements().stream().map(Requirement::id).toList());
        assertThat(labels).contains("BAL-HINT-4", "Free page hinting", "The balloon");
    }

    @Test
    void theMatrixHasARowForEveryRequirementThatCanBeObservedOverVhostUser() {
        assertThat(elements(at("matrix.html", "matrix"), "tr"))
                .hasSize(1
                        + (int) CATALOGUE.documents().stream()
                                .filter(document -> !document.isChapter())
                                .flatMap(document -> document.requirements().stream())
                                .filter(Requirement::observable)
                                .count());
    }

    @Test
    void theMatrixShowsOurResultsFirstAndTheWorstOfSeveral() {
        Element matrix = at("matrix.html", "matrix");
        assertThat(elements(matrix, "th").stream()
                        .filter(head -> head.getAttribute("class").equals("subject"))
                        .map(Element::getTextContent))
                .containsExactly("exomem balloon", "somebody's \"balloon\"");
        Element row = elements(matrix, "tr").stream()
                .filter(each -> each.getTextContent().startsWith("balloon.hint.12"))
                .findFirst()
                .orElseThrow();
        assertThat(elements(row, "td").stream()
                        .filter(cell -> cell.getAttribute("class").equals("result"))
                        .map(Element::getTextContent))
                .containsExactly("✓ pass", "✗ fail");
        assertThat(row.getTextContent()).contains("an id is shown once", "STOP comes <first>");
    }

    @Test
    void theMatrixCountsTheRequirementsOfEachSubject() {
        Element subjects = elements(page("matrix.html"), "table").getFirst();
        assertThat(elements(subjects, "tr").get(1).getTextContent()).isEqualTo("exomem balloon2000000.1.02026-11-28");
        assertThat(page("matrix.html").getTextContent()).contains("exomem conform --device balloon");
        assertThat(elements(subjects, "tr").get(2).getTextContent()).startsWith("somebody's \"balloon\"000100");
    }

    @Test
    void aRequirementShowsItsChecksAndWhatTheyFound() {
        String entry = at("requirements-virtio.html", "balloon.hint.12").getTextContent();
        assertThat(entry)
                .contains("2 checks: ✗ fail 1 ✓ pass 1")
                .contains("✗ fail somebody's \"balloon\": 0x80000000 came twice & early");
        assertThat(at("requirements-virtio.html", "balloon.hint.13").getTextContent())
                .contains("1 check: ✓ pass 1");
        assertThat(at("requirements-virtio.html", "balloon.hint.11").getTextContent())
                .doesNotContain("check:");
    }

    @Test
    void aFailureIsToldOfTheFirstRequirementOfItsCheckAlone() {
        assertThat(at("requirements-virtio.html", "balloon.hint.13").getTextContent())
                .doesNotContain("fail");
    }

    @Test
    void everyPageSaysInTheNavigationWhereItIs() {
        PAGES.forEach((name, page) -> assertThat(elements(page, "a").stream()
                        .filter(link -> link.hasAttribute("aria-current"))
                        .map(link -> link.getAttribute("href")))
                .as(name)
                .containsExactly(name));
    }

    /** A test writes them, because the build's own JVM may be older than the project's. */
    @Test
    void theBuildLeavesThePagesInItsFolder() throws IOException {
        Path pages = Path.of("target", "html");
        HtmlReference.main(new String[] {pages.toString()});
        assertThat(pages.resolve("index.html")).isNotEmptyFile();
    }

    @Test
    void allFilesAreWrittenAndOthersAreLeftAlone(@TempDir Path folder) throws IOException {
        Path pages = folder.resolve("a/b");
        Files.createDirectories(pages);
        Files.writeString(pages.resolve("mine.txt"), "mine");
        HtmlReference.of(CATALOGUE, List.of()).write(pages);
        try (Stream<Path> written = Files.list(pages)) {
            assertThat(written.map(file -> String.valueOf(file.getFileName())))
                    .containsAll(files.keySet())
                    .hasSize(files.size() + 1);
        }
        assertThat(pages.resolve("mine.txt")).hasContent("mine");
        assertThat(pages.resolve("matrix.html")).content().contains("This copy of the reference contains no results");
    }

    /** A chapter may itself be a document of the catalogue: then its rules are the requirements. */
    @Test
    void aRequirementOfAChapterStandsInTheChapter() throws Exception {
        Document chapter = new Document(
                "x.md",
                new Source("The chapter", "", "exomem", "spec/x.md", "", "All.", List.of("One"), "By rule."),
                List.of(),
                List.of(requirement("XY-1", "It is so."), requirement("XY-2", "It is there, too.")));
        Map<String, String> made = HtmlReference.of(
                        Catalogue.of(List.of(chapter)),
                        List.of(new ChapterText("x.md", """
                                # The chapter

                                Says `a | b`, [itself](x.md) and 1 < 2.

                                ## One

                                | id | rule |
                                | --- | --- |
                                | XY-1 | It MUST be so. |
                                """)),
                        List.of(new Run(
                                "exomem",
                                "",
                                "",
                                "",
                                List.of(new Run.Result(List.of("XY-1"), "it is so", Verdict.HANG, "nothing came")))))
                .files();
        assertThat(made.keySet())
                .containsExactlyInAnyOrder(
                        "index.html", "matrix.html", "x.html", "search-index.js", "reference.css", "reference.js");
        Element page = parse(Objects.requireNonNull(made.get("x.html")));
        assertThat(attributes(page, "*", "id")).containsOnlyOnce("XY-1", "XY-2", "one");
        assertThat(page.getTextContent())
                .contains("It MUST be so.", "… hang exomem: nothing came", "It is there, too.");
    }

    private static Requirement requirement(String id, String statement) {
        return new Requirement(
                id,
                List.of(),
                List.of(),
                Strength.MUST,
                Party.DEVICE,
                "One",
                statement,
                Optional.empty(),
                Optional.empty(),
                Devices.ANY);
    }

    @Test
    void noPageShowsMarksOfMarkdown() {
        Pattern marks = Pattern.compile("\\]\\(|\\*\\*|^\\| |```", Pattern.MULTILINE);
        PAGES.forEach((name, page) -> {
            Matcher mark = marks.matcher(elements(page, "main").getFirst().getTextContent());
            assertThat(mark.find() ? mark.group() : "").as(name).isEmpty();
        });
    }
}
