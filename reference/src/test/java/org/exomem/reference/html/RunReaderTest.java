package org.exomem.reference.html;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Reports of the conformance runner, and the messages about invalid files. */
class RunReaderTest {
    @TempDir
    private Path folder;

    private Path file(String text) throws IOException {
        return Files.writeString(folder.resolve("report.json"), text);
    }

    @Test
    void whatIsShownIsReadAndTheRestIsLeftAlone() throws IOException {
        Run run = RunReader.read(file("""
                {"subject": "virtiofsd", "version": "1.13", "date": "2026-11-28", "command": "exomem conform --socket x",
                 "offered": 5, "results": [
                  {"requirement": "vhost.reply.8", "check": "a name", "verdict": "PASS", "transcript": []},
                  {"requirement": "a.1", "also": ["a.2"], "check": "b", "verdict": "REFUSED", "message": "m"}]}
                """));
        assertThat(run)
                .isEqualTo(new Run(
                        "virtiofsd",
                        "1.13",
                        "2026-11-28",
                        "exomem conform --socket x",
                        List.of(
                                new Run.Result(List.of("vhost.reply.8"), "a name", Verdict.PASS, ""),
                                new Run.Result(List.of("a.1", "a.2"), "b", Verdict.REFUSED, "m"))));
    }

    @Test
    void aFileThatIsNoReportIsNamedWithWhatIsWrong() throws IOException {
        Path none = file("{\"subject\": \"x\"}");
        assertThatThrownBy(() -> RunReader.read(none))
                .isInstanceOf(ReportException.class)
                .hasMessage("report.json: not a report of exomem conform: results is missing");
        Path unknown = file(
                "{\"subject\": \"x\", \"results\": [{\"requirement\":\"a.1\",\"check\":\"c\",\"verdict\":\"OK\"}]}");
        assertThatThrownBy(() -> RunReader.read(unknown)).hasMessageEndingWith("\"OK\" is not a verdict");
        Path text = file("no");
        assertThatThrownBy(() -> RunReader.read(text)).hasMessageStartingWith("report.json: not JSON: ");
        assertThatThrownBy(() -> RunReader.read(folder.resolve("none")))
                .hasMessageEndingWith("none: there is no such file");
    }

    @Test
    void theRunsThatAreReleasedWithExomemAreReports() {
        assertThat(RunReader.load()).allSatisfy(run -> assertThat(run.results()).isNotEmpty());
    }
}
