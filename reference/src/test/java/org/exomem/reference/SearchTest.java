package org.exomem.reference;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

/** The results of searches in the catalogue. */
class SearchTest {
    private final Catalogue catalogue = Catalogue.load();

    private List<String> found(String text) {
        return catalogue.search(text).stream().map(Requirement::id).toList();
    }

    @Test
    void anIdFindsItsEntryInSmallOrCapitalLetters() {
        assertThat(found("balloon.hint.1")).containsExactly("balloon.hint.1");
        assertThat(found(" Balloon.Hint.1 ")).containsExactly("balloon.hint.1");
        assertThat(found("FPB-DESC-3")).containsExactly("FPB-DESC-3");
        assertThat(found("fpb-desc-3")).containsExactly("FPB-DESC-3");
    }

    @Test
    void theBeginOfIdsFindsAGroupAndGroupsWithinIt() {
        assertThat(found("balloon.poison"))
                .containsExactly("balloon.poison.1", "balloon.poison.2", "balloon.poison.3", "balloon.poison.4");
        assertThat(found("ring.split")).contains("ring.split.used.1", "ring.split.kick.12");
        assertThat(found("ring.split")).allMatch(id -> id.startsWith("ring.split."));
        assertThat(found("STR-DIG")).containsExactly("STR-DIG-1", "STR-DIG-2", "STR-DIG-3", "STR-DIG-4");
        assertThat(found("str")).hasSizeGreaterThan(50).allMatch(id -> id.startsWith("STR-"));
    }

    @Test
    void theLettersOfAChapterFindItsEntriesBeforeTheEntriesOfOtherDocumentsThatNameItsRules() {
        assertThat(found("BAL-HINT"))
                .startsWith("BAL-HINT-1", "BAL-HINT-7", "BAL-HINT-10", "BAL-HINT-8")
                .contains("balloon.hint.12");
    }

    @Test
    void aRuleThatSaysMoreThanAnotherDocumentIsFoundBeforeWhatItNames() {
        assertThat(found("BAL-HINT-7")).containsExactly("BAL-HINT-7");
        assertThat(catalogue.byId("BAL-HINT-7").orElseThrow().see())
                .containsExactly("balloon.hint.7", "balloon.hint.14");
    }

    @Test
    void aRuleOfAChapterFindsWhatSaysTheSameBeforeWhatSaysAPartOfIt() {
        assertThat(found("BAL-HINT-4")).containsExactly("balloon.hint.12");
        assertThat(found("bal-cfg-2")).containsExactly("balloon.pages.11", "balloon.pages.12");
    }

    @Test
    void theNumberOfASectionFindsWhatIsInItAndInSectionsWithinIt() {
        assertThat(found("5.5.6.6"))
                .containsExactly("balloon.poison.1", "balloon.poison.2", "balloon.poison.3", "balloon.poison.4");
        assertThat(found("5.5.6.6.2")).containsExactly("balloon.poison.4");
        assertThat(found("2.1")).allMatch(id -> id.startsWith("status."));
    }

    @Test
    void wordsFindWhatHasThemAll() {
        assertThat(found("poison_val DRIVER_OK")).containsExactly("balloon.poison.2", "balloon.poison.3");
        assertThat(found("must not poison_val device")).contains("balloon.report.8");
        assertThat(found("destination round_done")).contains("STR-RND-3");
        assertThat(found("no such words anywhere")).isEmpty();
    }

    @Test
    void aRequirementKnowsItsDocument() {
        Requirement requirement = catalogue.byId("mem.state.1").orElseThrow();
        assertThat(catalogue.documentOf(requirement).source().title()).contains("VIRTIO");
        assertThat(requirement.sectionNumber()).contains("5.15.6.6.1");
    }
}
