package org.exomem.conform.suite;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.exomem.conform.check.Check;
import org.exomem.reference.Catalogue;
import org.exomem.reference.Party;
import org.exomem.reference.Requirement;
import org.junit.jupiter.api.Test;

/** The checks compared with the catalogue. */
class SuiteTest {
    private final Catalogue catalogue = Catalogue.load();

    private static Set<String> tested() {
        return Suite.all().stream()
                .flatMap(check -> check.requirements().stream())
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** The duties of devices and back-ends in the documents of others and robust.yaml that a front-end can observe. */
    private Set<String> observable() {
        return catalogue.documents().stream()
                .filter(document -> !document.isChapter())
                .flatMap(document -> document.requirements().stream())
                .filter(Requirement::observable)
                .filter(each -> each.binds() == Party.DEVICE || each.binds() == Party.BACK_END)
                .map(Requirement::id)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    @Test
    void everyObservableRequirementHasACheckOrAReasonWhyNot() {
        Set<String> missing = observable();
        missing.removeAll(tested());
        missing.removeAll(Suite.untried().keySet());
        assertThat(missing).isEmpty();
    }

    @Test
    void aRequirementThatHasACheckHasNoReasonWhyNot() {
        Set<String> both = tested();
        both.retainAll(Suite.untried().keySet());
        assertThat(both).isEmpty();
        assertThat(observable()).containsAll(Suite.untried().keySet());
    }

    @Test
    void everyCheckNamesRequirementsOfTheCatalogue() {
        assertThat(tested())
                .allSatisfy(id -> assertThat(catalogue.byId(id)).as(id).isPresent());
    }

    @Test
    void eachCheckHasANameOfItsOwn() {
        assertThat(Suite.all()).extracting(Check::toString).doesNotHaveDuplicates();
    }
}
