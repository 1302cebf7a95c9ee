package org.exomem.backend.command;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.exomem.backend.qmp.Json;
import org.exomem.cli.options.ExitCode;
import org.exomem.reference.Catalogue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
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
    void aRuleOfAChapterIsShownInFull() {
        assertThat(Ran.of("spec", "fpb-own-2").out()).isEqualTo("""
            FPB-OWN-2
            The driver SHOULD answer from buffers that it has from the start.

            strength    SHOULD
            binds       driver
            devices     balloon
            observable  no: What the driver's code does not do: its buffers are made when it
                        starts.
            section     Buffers, bounds and faults
            source      Free page bitmaps: an extension of the balloon, exomem
                        spec/free-page-bitmap.md
            """);
        assertThat(Ran.of("spec", "VHU-HDR-3").out())
                .contains("\nnote        Origin: Header; practice.\n")
                .endsWith("\nsee         vhost.header.1, vhost.header.3\n");
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
                .containsPattern("\nSTR-DIG +4 +4 +migration-stream.md +Rounds\n")
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
            "source":"Virtual I/O Device (VIRTIO) 1.4","url":"https://docs.oasis-open.org/virtio/virtio/v1.4/cs01/virtio-v1.4-cs01.html"}""");
        assertThat(Json.parse(Ran.of("spec", "--json").out()))
                .hasSize(Catalogue.load().requirements().size());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            baloon.hint.12     | no requirement matches "baloon.hint.12"; similar: balloon.hint.12, balloon.hint.1
            FPB-DECS-3         | no requirement matches "FPB-DECS-3"; similar: FPB-DESC-3
            ballon.hint        | no requirement matches "ballon.hint"; similar: balloon.hint
            a completely other thing | no requirement matches "a completely other thing"; "exomem spec" lists the groups
            """)
    void whatIsNotFoundIsAnsweredWithWhatIsSimilar(String words, String message) {
        Ran ran = Ran.of("spec", words);
        assertThat(ran.code()).isEqualTo(ExitCode.FAILED);
        assertThat(ran.out()).isEmpty();
        assertThat(ran.err()).startsWith("exomem: " + message);
    }

    @Test
    void theReferenceIsWrittenAsPages(@TempDir Path folder) throws IOException {
        Path report = Files.writeString(folder.resolve("report.json"), """
                {"subject": "mine", "results": [
                  {"requirement": "balloon.hint.12", "check": "an id is shown once", "verdict": "PASS"}]}
                """);
        Path pages = folder.resolve("pages");
        Ran ran = Ran.of("spec", "--html", pages.toString(), "--results", report.toString());
        assertThat(ran.code()).isZero();
        assertThat(ran.out()).isEqualTo(pages.resolve("index.html") + System.lineSeparator());
        assertThat(pages.resolve("index.html")).content().contains("The exomem reference");
        assertThat(pages.resolve("matrix.html")).content().contains(">mine</th>");
    }

    @Test
    void pagesThatCantBeWrittenAreAFailureWithTheReason(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "");
        Ran ran = Ran.of("spec", "--html", file.toString());
        assertThat(ran.code()).isEqualTo(ExitCode.FAILED);
        assertThat(ran.err()).contains("the pages can't be written: ", file.toString());
        Ran other = Ran.of(
                "spec",
                "--html",
                folder.toString(),
                "--results",
                folder.resolve("none").toString());
        assertThat(other.code()).isEqualTo(ExitCode.FAILED);
        assertThat(other.err()).contains("none: there is no such file");
    }

    @Test
    void pagesAreOfEverything() {
        assertThat(Ran.of("spec", "--html", "x", "balloon.hint.12").err())
                .contains("--html writes everything: only --results can be combined with it");
        assertThat(Ran.of("spec", "--results", "x").err()).contains("--results needs --html");
    }
}
