package org.exomem.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.StringReader;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Files of the catalogue, and the messages about mistakes in them. */
class DocumentReaderTest {
    private static final String FILE = """
            source:
              title: A document
              version: "1.0"
              publisher: Somebody
              url: https://example.org/
              date: "2026-01-02"
              text: All of it.
              sections: [1 First]
              method: By hand.
            counts:
              - section: 1 First
                found: 3
                catalogued: 2
                left-out: 1
                reason: It says nothing.
            requirements:
              - id: a.b.1
                aliases: [BAL-X-1]
                see: [BAL-X-2, BAL-X-3]
                strength: MUST NOT
                binds: back-end
                section: 1 First
                statement: >-
                  It keeps
                  still.
                note: Really.
                observable: false
                reason: It is dark.
                devices: balloon
              - id: a.b.2
                strength: MAY
                binds: driver
                section: 1 First
                statement: It moves.
                observable: true
                devices: any
            """;

    private static Document read(String text) {
        return DocumentReader.read("x.yaml", new StringReader(text));
    }

    @Test
    void everyFieldIsRead() {
        Document document = read(FILE);
        assertThat(document.source().version()).isEqualTo("1.0");
        assertThat(document.source().sections()).containsExactly("1 First");
        assertThat(document.counts()).hasSize(1);
        assertThat(document.counts().getFirst().leftOut()).isEqualTo(1);
        assertThat(document.counts().getFirst().added()).isZero();
        Requirement first = document.requirements().getFirst();
        assertThat(first.group()).isEqualTo("a.b");
        assertThat(first.aliases()).containsExactly("BAL-X-1");
        assertThat(first.see()).containsExactly("BAL-X-2", "BAL-X-3");
        assertThat(first.strength()).isEqualTo(Strength.MUST_NOT);
        assertThat(first.binds()).isEqualTo(Party.BACK_END);
        assertThat(first.statement()).isEqualTo("It keeps still.");
        assertThat(first.note()).contains("Really.");
        assertThat(first.observable()).isFalse();
        assertThat(first.unobservable()).contains("It is dark.");
        assertThat(first.devices()).isEqualTo(Devices.BALLOON);
        Requirement second = document.requirements().getLast();
        assertThat(second.observable()).isTrue();
        assertThat(second.aliases()).isEmpty();
        assertThat(second.note()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            strength: MAY             | strength: SHALL           | x.yaml: a.b.2: strength: "SHALL" is not one of MUST, MUST NOT, SHOULD, SHOULD NOT, MAY
            binds: driver             | binds: guest              | x.yaml: a.b.2: binds: "guest" is not one of device, driver, back-end, front-end
            devices: any              | devices: disk             | x.yaml: a.b.2: devices: "disk" is not one of any, balloon, mem
            devices: any              | device: any               | x.yaml: a.b.2: devices is missing
            statement: It moves.      | text: It moves.           | x.yaml: a.b.2: statement is missing
            note: Really.             | remark: Really.           | x.yaml: a.b.1: unknown field remark
            observable: true          | observable: maybe         | x.yaml: a.b.2: observable must be true or false
            observable: true          | observable: false         | x.yaml: a.b.2: reason is missing
            observable: false         | observable: true          | x.yaml: a.b.1: reason is not allowed here
            see: [BAL-X-2, BAL-X-3]   | see: BAL-X-2              | x.yaml: a.b.1: see must be a list
            id: a.b.2                 | id: A.b.2                 | x.yaml: "A.b.2" is not an id such as balloon.hint.7
            id: a.b.2                 | id: a.b                   | x.yaml: "a.b" is not an id such as balloon.hint.7
            found: 3                  | found: -3                 | x.yaml: counts of 1 First: found must be a whole number, 0 or greater
            left-out: 1               | left-out: 0               | x.yaml: counts of 1 First: reason is not allowed here
            method: By hand.          | way: By hand.             | x.yaml: source: method is missing
            version: "1.0"            | version: 1.0              | x.yaml:3: a text, a whole number, true or false is expected
            version: "1.0"            | title: Another            | x.yaml:3: not YAML: Duplicate field 'title'
            version: "1.0"            | version: [                | x.yaml:5: not YAML: while parsing a flow sequence
            """)
    void aMistakeIsAnErrorThatNamesFileAndEntry(String right, String wrong, String message) {
        assertThat(FILE).contains(right);
        assertThatThrownBy(() -> read(FILE.replace(right, wrong)))
                .isInstanceOf(CatalogueException.class)
                .hasMessageStartingWith(message);
    }

    @Test
    void anUnknownPartOfTheFileIsAnError() {
        assertThatThrownBy(() -> read(FILE + "more: 1\n")).hasMessage("x.yaml: unknown field more");
    }

    @Test
    void anEmptyFileIsAnError() {
        assertThatThrownBy(() -> read("")).hasMessage("x.yaml: is empty");
    }

    @Test
    void anIdThatIsThereTwiceIsAnErrorInOneFileAndInTwo() {
        Document twice = read(FILE.replace("a.b.2", "a.b.1"));
        assertThatThrownBy(() -> Catalogue.of(List.of(twice))).hasMessage("x.yaml: a.b.1: is defined twice");
        Document other = DocumentReader.read("y.yaml", new StringReader(FILE));
        assertThatThrownBy(() -> Catalogue.of(List.of(read(FILE), other)))
                .hasMessage("y.yaml: a.b.1: is defined twice, also in x.yaml");
    }
}
