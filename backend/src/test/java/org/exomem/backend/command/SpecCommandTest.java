package org.exomem.backend.command;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.ExitCode;
import org.exomem.reference.Catalogue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code exomem spec}: the catalogue of requirements in a terminal. */
class SpecCommandTest {
    @Test
    void oneEntryIsShownInFull() {
        Ran ran = Ran.of("spec", "balloon.hint.12");
        assertThat(ran.err()).isEmpty();
        assertThat(ran.code()).isZero();
        assertThat(ran.out()).isEqualTo("""
            balloon.hint.12
            With FREE_PAGE_HINT, the device does not show a command id again before the
            driver has sent STOP.

            strength    MUST NOT
            binds       device
            devices     balloon
            observable  yes
            section     5.5.6.5.2 Device Requirements: Free Page Hinting
            source      Virtual I/O Device (VIRTIO) 1.4, OASIS
                        https://docs.oasis-open.org/virtio/virtio/v1.4/cs01/virtio-v1.4-cs01.html
            same as     BAL-HINT-4
            """);
    }

    @Test
    void anEntryThatCantBeObservedSaysWhy() {
        assertThat(Ran.of("spec", "ring.split.barrier.1").out())
                .contains("observable  no: A missing barrier shows only in a race, and then rarely.\n");
    }

    @Test
    void whatIsOddInTheSourceIsANote() {
        assertThat(Ran.of("spec", "balloon.stats.5").out()).contains("\nnote        An entry has 10 bytes");
    }

    @Test
    void severalEntriesAreATable() {
        Ran ran = Ran.of("spec", "BAL-CFG-2");
        assertThat(ran.code()).isZero();
        assertThat(ran.out()).isEqualTo("""
            ID                STRENGTH  BINDS   STATEMENT
            balloon.pages.11  MUST      driver  The driver updates actual after it has changed the number of pages in the balloon.
            balloon.pages.12  MAY       driver  The driver may update actual once for several inflate and deflate requests.
            """);
    }

    @Test
    void severalWordsNeedNoQuotationMarks() {
        assertThat(Ran.of("spec", "poison_val", "DRIVER_OK").out())
                .isEqualTo(Ran.of("spec", "poison_val DRIVER_OK").out())
                .contains("balloon.poison.2")
                .contains("balloon.poison.3");
        assertThat(Ran.of("spec", "--", "poison_val", "DRIVER_OK").out()).contains("balloon.poison.2");
    }

    @Test
    void withoutArgumentsTheGroupsAreListed() {
        Ran ran = Ran.of("spec");
        assertThat(ran.code()).isZero();
        assertThat(ran.out())
                .startsWith("GROUP ")
                .contains("balloon.hint ")
                .containsPattern("\nall +" + Catalogue.load().requirements().size() + " ");
    }

    @Test
    void allEntriesCanBeListed() {
        assertThat(Ran.of("spec", "--all").out().lines())
                .hasSize(1 + Catalogue.load().requirements().size());
        assertThat(Ran.of("spec", "--all", "status").err())
                .startsWith("exomem: --all and \"status\" exclude each other");
    }

    @Test
    void jsonHasAllThatIsKnown() throws Exception {
        JsonNode list =
                Json.parse(Ran.of("spec", "ring.split.barrier", "--json").out());
        assertThat(list).hasSize(2);
        assertThat(list.path(0).toString()).isEqualTo("""
            {"id":"ring.split.barrier.1","strength":"MUST","binds":"driver",\
            "section":"2.7.13.3.1 Driver Requirements: Updating idx",\
            "statement":"The driver has a memory barrier between its writes of descriptors and ring entries and its write of the new index.",\
            "observable":false,"devices":"any","reason":"A missing barrier shows only in a race, and then rarely.",\
            "aliases":[],"see":["VQ-SPL-5"],\
            "source":"Virtual I/O Device (VIRTIO) 1.4","url":"https://docs.oasis-open.org/virtio/virtio/v1.4/cs01/virtio-v1.4-cs01.html"}\
            """);
        assertThat(Json.parse(Ran.of("spec", "--json").out()))
                .hasSize(Catalogue.load().requirements().size());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        baloon.hint.12     | no requirement is found for "baloon.hint.12"; similar are balloon.hint.12, balloon.hint.1
        ballon.hint        | no requirement is found for "ballon.hint"; similar are balloon.hint
        a completely other thing | no requirement is found for "a completely other thing"; "exomem spec" lists what there is
        """)
    void whatIsNotFoundIsAnsweredWithWhatIsSimilar(String words, String message) {
        Ran ran = Ran.of("spec", words);
        assertThat(ran.code()).isEqualTo(ExitCode.FAILED);
        assertThat(ran.out()).isEmpty();
        assertThat(ran.err()).startsWith("exomem: " + message);
    }
}
