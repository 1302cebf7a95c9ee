package org.exomem.conform.strict;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.observers.Observers;
import org.exomem.reference.Catalogue;
import org.exomem.reference.Party;
import org.exomem.reference.Requirement;
import org.junit.jupiter.api.Test;

/** The observations compared with the catalogue. */
class ObserversTest {
    private final Catalogue catalogue = Catalogue.load();

    private static Set<String> watched() {
        return Observers.all().stream()
                .flatMap(each -> each.requirements().stream())
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** The duties of front-ends and drivers in the documents of others that a back-end can observe. */
    private Set<String> observable() {
        return catalogue.documents().stream()
                .filter(document -> !document.isChapter())
                .flatMap(document -> document.requirements().stream())
                .filter(Requirement::observable)
                .filter(each -> each.binds() == Party.DRIVER || each.binds() == Party.FRONT_END)
                .map(Requirement::id)
                .collect(Collectors.toCollection(TreeSet::new));
    }

    @Test
    void everyObservableRequirementIsWatchedOrHasAReasonWhyNot() {
        Set<String> missing = observable();
        missing.removeAll(watched());
        missing.removeAll(Observers.unwatched().keySet());
        assertThat(missing).isEmpty();
    }

    @Test
    void whatIsWatchedHasNoReasonWhyNot() {
        Set<String> both = watched();
        both.retainAll(Observers.unwatched().keySet());
        assertThat(both).isEmpty();
        assertThat(observable()).containsAll(Observers.unwatched().keySet()).containsAll(watched());
    }

    @Test
    void eachObservationHasANameOfItsOwn() {
        assertThat(Observers.all()).extracting(Observation::toString).doesNotHaveDuplicates();
    }
}
