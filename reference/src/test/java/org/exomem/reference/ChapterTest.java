package org.exomem.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How the rules of a chapter are read, and the messages about mistakes in them. */
class ChapterTest {
    private static final String TOY = """
            # Toys

            What children play with.
            Where nothing else is said, a rule binds the **device**.

            - **TOY-3** An item MUST be here; see **TOY-BIT-8**. It goes
              on [there](there.md).
            - No rule.

            **TOY-4** *client:* A paragraph SHOULD be *short*
            and `*plain*`.

            ## Bits

            | id | binds | rule | section |
            | --- | --- | --- | --- |
            | TOY-BIT-1 | driver | A bit MUST be set, as TOY-BIT-9 says. | Old Toys; our own |
            |TOY-2|device|Another MAY be set.| Old Toys |
            | TOY | device | no id | |

            ```
            | TOY-7 | a drawing |
            ```

            ### Commands

            | command | returns |
            | --- | --- |
            | `play` (**TOY-4**) | **TOY-6** a toy MUST come |

            | id | command | what has to happen | from |
            | --- | --- | --- | --- |
            | TOY-8 | `stop` | everything MUST stop | QEMU |

            ## Not observable

            | id | reason |
            | --- | --- |
            | TOY-2 | It is about nobody. |
            | TOY-3 | |

            ## More

            | id | rule |
            | --- | --- |
            | TOY-5 | The end MUST come. |
            """;

    private static Chapter parse(String text) {
        return Chapter.parse("toy.md", text.lines().toList());
    }

    private static Chapter.Rule rule(String id) {
        return parse(TOY).rules().stream()
                .filter(rule -> rule.id().equals(id))
                .findFirst()
                .orElseThrow();
    }

    private static Document document(String text, Document... others) {
        return ChapterDocument.of(parse(text), List.of(others));
    }

    private static Requirement naming(String rule, boolean alias) {
        List<String> rules = List.of(rule);
        return new Requirement(
                "toy.old.1",
                alias ? rules : List.of(),
                alias ? List.of() : rules,
                Strength.MAY,
                Party.DEVICE,
                "1 Old Toys",
                "It is set.",
                Optional.empty(),
                Optional.empty(),
                Devices.ANY);
    }

    private static Document other(Requirement requirement) {
        Source source = new Source("Old", "1", "Somebody", "", "", "", List.of(), "");
        return new Document("old.yaml", source, List.of(), List.of(requirement));
    }

    @Test
    void rulesAreTheFirstCellsOfRowsAndTheBoldBeginningsOfLinesAndCells() {
        Chapter chapter = parse(TOY);
        assertThat(chapter.title()).isEqualTo("Toys");
        assertThat(chapter.rules())
                .extracting(Chapter.Rule::id)
                .containsExactly("TOY-3", "TOY-4", "TOY-BIT-1", "TOY-2", "TOY-6", "TOY-8", "TOY-5");
        assertThat(chapter.notObservable()).isEqualTo(Map.of("TOY-2", "It is about nobody.", "TOY-3", ""));
    }

    @Test
    void aRuleBindsWhomItSaysOrElseWhomTheChapterSays() {
        assertThat(rule("TOY-BIT-1").binds()).isEqualTo(Party.DRIVER);
        assertThat(rule("TOY-4").binds()).isEqualTo(Party.CLIENT);
        assertThat(rule("TOY-3").binds()).isEqualTo(Party.DEVICE);
        assertThat(rule("TOY-5").binds()).isEqualTo(Party.DEVICE);
    }

    @Test
    void aStatementIsTheWholeTextWithoutLinksAndEmphasis() {
        assertThat(rule("TOY-3").statement()).isEqualTo("An item MUST be here; see TOY-BIT-8. It goes on there.");
        assertThat(rule("TOY-4").statement()).isEqualTo("A paragraph SHOULD be short and `*plain*`.");
        assertThat(rule("TOY-6").statement()).isEqualTo("a toy MUST come");
    }

    @Test
    void whereNoColumnHasTheWholeRuleItsHeadingsBelongToIt() {
        assertThat(rule("TOY-8").statement()).isEqualTo("command: `stop`; what has to happen: everything MUST stop");
        assertThat(rule("TOY-8").origin()).contains("QEMU");
    }

    @Test
    void aRuleIsInTheSectionOfTheHeadingAboveIt() {
        assertThat(rule("TOY-3").section()).isEqualTo("Toys");
        assertThat(rule("TOY-2").section()).isEqualTo("Bits");
        assertThat(rule("TOY-6").section()).isEqualTo("Commands");
    }

    @Test
    void everyRuleIsARequirement() {
        Document document = document(TOY);
        assertThat(document.requirements())
                .extracting(Requirement::id)
                .containsExactly("TOY-3", "TOY-4", "TOY-BIT-1", "TOY-2", "TOY-6", "TOY-8", "TOY-5");
        Requirement second = document.requirements().get(3);
        assertThat(second.strength()).isEqualTo(Strength.MAY);
        assertThat(second.unobservable()).contains("It is about nobody.");
        assertThat(second.note()).contains("Origin: Old Toys.");
        assertThat(second.group()).isEqualTo("TOY");
        assertThat(document.requirements().get(2).group()).isEqualTo("TOY-BIT");
        assertThat(document.source().name()).isEqualTo("Toys");
        assertThat(document.source().sections()).containsExactly("Toys", "Bits", "Commands", "More");
    }

    @Test
    void aRuleThatOnlySaysAgainWhatAnotherDocumentSaysIsLeftOut() {
        Document document = document(TOY, other(naming("TOY-2", true)));
        assertThat(document.requirements()).extracting(Requirement::id).doesNotContain("TOY-2");
        SectionCount bits = document.counts().get(1);
        assertThat(bits.section()).isEqualTo("Bits");
        assertThat(bits.found()).isEqualTo(2);
        assertThat(bits.catalogued()).isEqualTo(1);
        assertThat(bits.leftOut()).isEqualTo(1);
        assertThat(bits.reason()).isPresent();
    }

    @Test
    void aRuleThatSaysMoreThanAnotherDocumentHasAnEntryThatNamesTheOther() {
        Document document = document(TOY, other(naming("TOY-BIT-1", false)));
        assertThat(document.requirements().get(2).see()).containsExactly("toy.old.1");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
            "| TOY-BIT-1 | driver"   | "\n| TOY-BIT-1 | driver" | toy.md:18: TOY-BIT-1 is outside of a table: an empty line separates it
            "| TOY-5 | The end"      | "| TOY-5 | TOY | The"    | toy.md:46: a row has 3 cells, but its table has 2 columns
            "| driver |"             | "| guest |"              | "toy.md:17: ""guest"" is not a party that a rule can bind"
            "*client:*"              | "*child:*"               | "toy.md:10: ""child"" is not a party that a rule can bind"
            "said, a rule binds the" | "known, it binds the"    | toy.md:6: TOY-3 does not state whom it binds, and neither does the chapter
            "The end MUST"           | "The end must"           | "toy.md: TOY-5 has no MUST, SHOULD or MAY"
            "The end MUST"           | "The end SHOULD and MAY" | toy.md: TOY-5 has words of several strengths
            """)
    void aMistakeIsAnErrorThatSaysWhere(String right, String wrong, String message) {
        assertThat(TOY).contains(right);
        assertThatThrownBy(() -> document(TOY.replace(right, wrong)))
                .isInstanceOf(CatalogueException.class)
                .hasMessageStartingWith(message);
    }

    @Test
    void theStrengthIsThatOfTheFirstWord() {
        assertThat(Strength.wordsOf("It MUST NOT be MUST_TELL_HOST, MAY be, SHOULD NOT, SHOULD and MUST."))
                .containsExactly(Strength.MUST_NOT, Strength.MAY, Strength.SHOULD_NOT, Strength.SHOULD, Strength.MUST);
        assertThat(document(TOY.replace("The end MUST", "The end MUST NOT, or MUST"))
                        .requirements()
                        .getLast()
                        .strength())
                .isEqualTo(Strength.MUST_NOT);
    }
}
