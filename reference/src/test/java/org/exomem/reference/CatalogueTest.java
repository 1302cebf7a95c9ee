package org.exomem.reference;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The catalogue itself: it is complete, and consistent with the chapters of {@code spec/}. */
class CatalogueTest {
    /** The definition of a rule in a chapter: an id at the beginning of a row, or in bold. */
    private static final Pattern DEFINED = Pattern.compile("(?:^\\| *|\\*\\*)(" + Chapter.ID + ")\\b");

    private static final int MOST_SENTENCES = 2;

    private final Catalogue catalogue = Catalogue.load();

    private static Path spec() {
        Path folder = Path.of("").toAbsolutePath();
        while (!Files.isDirectory(folder.resolve("spec"))) {
            folder = Objects.requireNonNull(folder.getParent(), "no folder spec/ here or above");
        }
        return folder.resolve("spec");
    }

    private static List<Path> files(Path folder, String end) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(end)).sorted().toList();
        }
    }

    private static List<String> chapters() throws IOException {
        return files(spec(), ".md").stream()
                .map(file -> file.getFileName().toString())
                .filter(file -> !file.equals("README.md"))
                .toList();
    }

    private static Set<String> rules() {
        Set<String> rules = new HashSet<>();
        Chapter.load().forEach(chapter -> chapter.rules().forEach(rule -> rules.add(rule.id())));
        return rules;
    }

    /** The requirements of the documents of others. */
    private List<Requirement> ofOthers() {
        return catalogue.documents().stream()
                .filter(document -> !document.isChapter())
                .flatMap(document -> document.requirements().stream())
                .toList();
    }

    private List<Requirement> ofChapters() {
        return catalogue.documents().stream()
                .filter(Document::isChapter)
                .flatMap(document -> document.requirements().stream())
                .toList();
    }

    /** A row of the table of counts in {@code spec/catalogue/README.md}. */
    private static String counts(String name, List<Requirement> requirements) {
        StringBuilder row = new StringBuilder("| ")
                .append(name)
                .append(" | ")
                .append(requirements.size())
                .append(" | ")
                .append(requirements.stream().filter(Requirement::observable).count());
        for (Strength strength : Strength.values()) {
            row.append(" | ")
                    .append(requirements.stream()
                            .filter(each -> each.strength() == strength)
                            .count());
        }
        return row.append(" |").toString();
    }

    private static List<String> sections(Document document) {
        return document.counts().stream().map(SectionCount::section).toList();
    }

    @Test
    void everyFileOfTheCatalogueIsLoaded() throws IOException {
        assertThat(catalogue.documents())
                .extracting(Document::file)
                .containsExactlyInAnyOrderElementsOf(Stream.concat(
                                files(spec().resolve("catalogue"), ".yaml").stream()
                                        .map(file -> file.getFileName().toString()),
                                chapters().stream())
                        .toList());
    }

    @Test
    void everyIdThatAChapterDefinesIsReadAsARule() throws IOException {
        for (Chapter chapter : Chapter.load()) {
            Set<String> defined = new HashSet<>();
            for (String line : Files.readAllLines(spec().resolve(chapter.file()))) {
                Matcher id = DEFINED.matcher(line);
                while (id.find()) {
                    defined.add(id.group(1));
                }
            }
            assertThat(chapter.rules())
                    .as(chapter.file())
                    .extracting(Chapter.Rule::id)
                    .containsExactlyInAnyOrderElementsOf(defined);
        }
    }

    @Test
    void everyRuleOfAChapterHasAnEntryOrIsNamedByTheEntryThatItRepeats() {
        for (String rule : rules()) {
            assertThat(catalogue.byId(rule).isPresent()
                            || !catalogue.byRule(rule).isEmpty())
                    .as(rule)
                    .isTrue();
        }
    }

    @Test
    void everyRuleOfAChapterThatIsAboutExomemAloneHasAnEntry() {
        List<String> aboutOthers = List.of("vhost-user.md", "virtqueues.md", "balloon.md", "mem.md");
        for (Chapter chapter : Chapter.load()) {
            if (!aboutOthers.contains(chapter.file())) {
                assertThat(chapter.rules())
                        .as(chapter.file())
                        .allSatisfy(rule -> assertThat(catalogue.byId(rule.id()))
                                .as(rule.id())
                                .isPresent());
            }
        }
    }

    @Test
    void whatIsCountedStandsInTheReadme() throws IOException {
        List<String> rows = new ArrayList<>();
        for (Document document : catalogue.documents()) {
            String link = (document.isChapter() ? "../" : "") + document.file();
            rows.add(counts("[" + document.file() + "](" + link + ")", document.requirements()));
        }
        rows.add(counts("documents in YAML", ofOthers()));
        rows.add(counts("chapters", ofChapters()));
        rows.add(counts("all", catalogue.requirements()));
        assertThat(Files.readString(spec().resolve("catalogue/README.md"))).contains(String.join("\n", rows));
    }

    @Test
    void statementsFoundInASectionAreCataloguedOrLeftOut() {
        for (Document document : catalogue.documents()) {
            for (SectionCount count : document.counts()) {
                assertThat(count.catalogued() + count.leftOut())
                        .as("%s: statements of %s", document.file(), count.section())
                        .isEqualTo(count.found());
            }
        }
    }

    @Test
    void aSectionHasAsManyEntriesAsItsCountSays() {
        for (Document document : catalogue.documents()) {
            for (SectionCount count : document.counts()) {
                assertThat(document.requirements().stream()
                                .filter(each -> each.section().equals(count.section())))
                        .as("%s: entries of %s", document.file(), count.section())
                        .hasSize(count.catalogued() + count.added());
            }
        }
    }

    @Test
    void everySectionIsCountedOnce() {
        for (Document document : catalogue.documents()) {
            assertThat(sections(document)).as(document.file()).doesNotHaveDuplicates();
            assertThat(document.requirements())
                    .as(document.file())
                    .extracting(Requirement::section)
                    .isSubsetOf(sections(document));
        }
    }

    @Test
    void everyAliasIsARuleOfAChapter() {
        Set<String> rules = rules();
        assertThat(rules).hasSizeGreaterThan(300);
        for (Requirement requirement : ofOthers()) {
            assertThat(rules)
                    .as(requirement.id())
                    .containsAll(requirement.aliases())
                    .containsAll(requirement.see());
        }
    }

    @Test
    void whatAnEntryOfAChapterNamesNamesIt() {
        for (Requirement requirement : ofChapters()) {
            assertThat(requirement.see())
                    .as(requirement.id())
                    .allSatisfy(id ->
                            assertThat(catalogue.byId(id).orElseThrow().see()).contains(requirement.id()));
        }
    }

    /** Otherwise the catalogue would have the same rule twice. */
    @Test
    void noAliasHasAnEntryOfItsOwn() {
        for (Requirement requirement : ofOthers()) {
            assertThat(requirement.aliases())
                    .as(requirement.id())
                    .noneMatch(rule -> catalogue.byId(rule).isPresent());
        }
    }

    @Test
    void aRuleThatIsAnAliasHasNoOtherStrengthThanItsEntry() {
        Map<String, String> rules = new HashMap<>();
        Chapter.load().forEach(chapter -> chapter.rules().forEach(rule -> rules.put(rule.id(), rule.statement())));
        for (Requirement requirement : ofOthers()) {
            for (String alias : requirement.aliases()) {
                List<Strength> words = Strength.wordsOf(Objects.requireNonNull(rules.get(alias), alias));
                assertThat(words.isEmpty()
                                || words.stream()
                                        .anyMatch(word -> word.positive()
                                                == requirement.strength().positive()))
                        .as("%s is %s, and %s has %s", requirement.id(), requirement.strength(), alias, words)
                        .isTrue();
            }
        }
    }

    @Test
    void documentsOfOthersBindDevicesDriversAndTheTwoEndsOfTheirConnection() {
        assertThat(ofOthers())
                .extracting(Requirement::binds)
                .containsOnly(Party.DEVICE, Party.DRIVER, Party.BACK_END, Party.FRONT_END);
    }

    @Test
    void noAliasIsUsedTwice() {
        assertThat(catalogue.requirements().stream()
                        .flatMap(requirement -> requirement.aliases().stream())
                        .toList())
                .doesNotHaveDuplicates();
    }

    @Test
    void aRuleThatIsAnAliasIsNotAlsoToSee() {
        for (Requirement requirement : catalogue.requirements()) {
            assertThat(requirement.see()).as(requirement.id()).noneMatch(requirement.aliases()::contains);
        }
    }

    @Test
    void everyStatementOfTheCataloguesOwnFilesIsOneOrTwoSentences() {
        for (Requirement requirement : ofOthers()) {
            assertThat(requirement.statement()).as(requirement.id()).endsWith(".");
            assertThat(requirement.statement().split("\\. "))
                    .as(requirement.id())
                    .hasSizeLessThanOrEqualTo(MOST_SENTENCES);
        }
    }

    @Test
    void everyReasonAndNoteIsASentence() {
        for (Requirement requirement : catalogue.requirements()) {
            assertThat(requirement.unobservable().orElse("."))
                    .as(requirement.id())
                    .endsWith(".");
            assertThat(requirement.note().orElse(".")).as(requirement.id()).endsWith(".");
        }
    }

    @Test
    void noStatementIsThereTwice() {
        Map<String, String> seen = new HashMap<>();
        List<String> twice = new ArrayList<>();
        for (Requirement requirement : catalogue.requirements()) {
            String key = requirement.strength() + " " + requirement.statement();
            // The two ring formats share some rules.
            String id = seen.putIfAbsent(key, requirement.id());
            if (id != null && !id.startsWith("ring.split.")) {
                twice.add(id + " and " + requirement.id());
            }
        }
        assertThat(twice).isEmpty();
    }

    @Test
    void inVirtioTheTitleOfTheSectionSaysWhomARequirementBinds() {
        assertThat(catalogue.documents().getFirst().file()).isEqualTo("virtio.yaml");
        for (Requirement requirement : catalogue.documents().getFirst().requirements()) {
            assertThat(requirement.section())
                    .as(requirement.id())
                    .contains(
                            requirement.binds() == Party.DEVICE ? " Device Requirements: " : " Driver Requirements: ");
        }
    }
}
