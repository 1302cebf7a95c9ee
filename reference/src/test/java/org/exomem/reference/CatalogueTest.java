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

/** The catalogue itself: that it is complete in itself, and fits the chapters of {@code spec/}. */
class CatalogueTest {
    /** A chapter defines a rule in the first cell of a row, or in bold at the beginning of a line, an item or a cell. */
    private static final Pattern RULE =
            Pattern.compile("(?:\\| *|^(?:- )?(?=\\*\\*))(?:\\*\\*)?([A-Z]{2,4}(?:-[A-Z]+)?-\\d+)(?:\\*\\*| *\\|)");

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

    private static Set<String> rules() throws IOException {
        Set<String> rules = new HashSet<>();
        for (Path chapter : files(spec(), ".md")) {
            Matcher rule = RULE.matcher("");
            for (String line : Files.readAllLines(chapter)) {
                rule.reset(line);
                while (rule.find()) {
                    rules.add(rule.group(1));
                }
            }
        }
        return rules;
    }

    private static List<String> sections(Document document) {
        return document.counts().stream().map(SectionCount::section).toList();
    }

    @Test
    void everyFileOfTheCatalogueIsLoaded() throws IOException {
        assertThat(catalogue.documents())
                .extracting(Document::file)
                .containsExactlyInAnyOrderElementsOf(files(spec().resolve("catalogue"), ".yaml").stream()
                        .map(file -> file.getFileName().toString())
                        .toList());
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
    void everyAliasIsARuleOfAChapter() throws IOException {
        Set<String> rules = rules();
        assertThat(rules).hasSizeGreaterThan(300);
        for (Requirement requirement : catalogue.requirements()) {
            assertThat(rules)
                    .as(requirement.id())
                    .containsAll(requirement.aliases())
                    .containsAll(requirement.see());
        }
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
    void everyStatementIsOneOrTwoSentences() {
        for (Requirement requirement : catalogue.requirements()) {
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
            // The two formats of rings have some rules in common.
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
