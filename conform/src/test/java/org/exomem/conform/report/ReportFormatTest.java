package org.exomem.conform.report;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.StringReader;
import java.io.StringWriter;
import java.time.Instant;
import java.util.List;
import java.util.stream.IntStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.exomem.conform.check.Check;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.Expectations;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.wire.Transcript;
import org.exomem.reference.Catalogue;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/** Reports contain the results, whatever text the back-end has put into them. */
class ReportFormatTest {
    private static final String NASTY = "</script> \"quoted\" & # \u0007 \ud800 ä\n\\ end";
    private static final RunReport REPORT = new RunReport(
            "a back-end",
            DeviceType.BALLOON,
            Instant.parse("2026-11-28T20:00:00Z"),
            1_500_000_000L,
            1L << 32,
            1,
            "",
            List.of(
                    result("reserved.14", Verdict.PASS, ""),
                    result("vhost.memory.7", Verdict.FAIL, NASTY),
                    result("vhost.memory.8", Verdict.HANG, "no answer within 5000 ms"),
                    result("vhost.memory.9", Verdict.SKIP, "not offered"),
                    result("vhost.ring.1", Verdict.REFUSED, "closed"),
                    result("vhost.ring.2", Verdict.ERROR, "a fault")));

    private static CheckResult result(String requirement, Verdict verdict, String message) {
        return new CheckResult(
                Check.of(requirement, "Something is so", trial -> {}),
                verdict,
                message,
                List.of(new Transcript.Line(
                        1_000_000, "-> GET_FEATURES", new byte[] {1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0})),
                2_000_000);
    }

    private static String written(ReportFormat format) throws Exception {
        return written(format, REPORT);
    }

    private static String written(ReportFormat format, RunReport report) throws Exception {
        StringWriter to = new StringWriter();
        format.write(report, Catalogue.load(), to);
        return to.toString();
    }

    @ParameterizedTest
    @EnumSource(ReportFormat.class)
    void eachFormatNamesEachCheckAndQuotesTheRequirementOfAFailure(ReportFormat format) throws Exception {
        String text = written(format);
        REPORT.results()
                .forEach(result -> assertThat(text).contains(result.check().requirement()));
        assertThat(text).contains("GET_FEATURES").contains("0100000001000000".substring(0, 8));
    }

    private static Document junit(RunReport report) throws Exception {
        return DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new InputSource(new StringReader(written(ReportFormat.JUNIT, report))));
    }

    @Test
    void junitSkipsAKnownFailureAndSaysWhatItWas() throws Exception {
        Document document = junit(REPORT.knowing(new Expectations(List.of(
                new Expectations.Known("vhost.memory.8", true), new Expectations.Known("vhost.ring.2", false)))));
        Element suites = document.getDocumentElement();
        assertThat(suites.getAttribute("failures")).isEqualTo("1");
        assertThat(suites.getAttribute("errors")).isEqualTo("0");
        assertThat(suites.getAttribute("skipped")).isEqualTo("3");
        assertThat(document.getElementsByTagName("failure").getLength()).isEqualTo(1);
        assertThat(document.getElementsByTagName("error").getLength()).isZero();
        NodeList skipped = document.getElementsByTagName("skipped");
        assertThat(IntStream.range(0, skipped.getLength())
                        .mapToObj(i -> ((Element) skipped.item(i)).getAttribute("message")))
                .containsExactlyInAnyOrder(
                        "known failure: HANG: no answer within 5000 ms",
                        "not offered",
                        "known failure: ERROR: a fault");
    }

    @Test
    void thePageHasAHeadingForWhatIsNewKnownNotedAndEachGoodVerdict() throws Exception {
        RunReport noted = new RunReport(
                "a back-end",
                DeviceType.BALLOON,
                REPORT.begin(),
                1,
                1 << 4,
                0,
                "",
                new Expectations(List.of(new Expectations.Known("vhost.memory.8", true))),
                REPORT.results(),
                List.of("a <note>"));
        assertThat(written(ReportFormat.HTML, noted))
                .containsSubsequence(
                        "2 of 6 checks failed",
                        "PAGE_POISON",
                        "<h2>Failures</h2>",
                        "<h2>Known failures</h2>",
                        "<h2>Notes</h2>",
                        "a &lt;note&gt;",
                        "<h2>Kept</h2>",
                        "<h2>Refused",
                        "<h2>Skipped");
    }

    @Test
    void junitCountsFailuresErrorsAndSkips() throws Exception {
        Document document = junit(REPORT);
        Element suites = document.getDocumentElement();
        assertThat(suites.getAttribute("tests")).isEqualTo("6");
        assertThat(suites.getAttribute("failures")).isEqualTo("2");
        assertThat(suites.getAttribute("errors")).isEqualTo("1");
        assertThat(suites.getAttribute("skipped")).isEqualTo("1");
        assertThat(document.getElementsByTagName("testcase").getLength()).isEqualTo(6);
    }

    @Test
    void jsonHasTheVerdictAndTheMessageOfEachCheck() throws Exception {
        JsonNode report = new ObjectMapper().readTree(written(ReportFormat.JSON));
        assertThat(report.at("/counts/FAIL").asInt()).isEqualTo(1);
        assertThat(report.at("/results/1/verdict").asText()).isEqualTo("FAIL");
        assertThat(report.at("/results/2/message").asText()).isEqualTo("no answer within 5000 ms");
        assertThat(report.at("/date").asText()).isEqualTo("2026-11-28");
    }

    @Test
    void tapHasOneLineForEachCheck() throws Exception {
        assertThat(written(ReportFormat.TAP).lines().filter(line -> line.matches("(not )?ok \\d+ - .*")))
                .hasSize(6)
                .contains("ok 4 - vhost.memory.9: Something is so # SKIP not offered");
    }

    @Test
    void whatABackEndWroteDoesNotEndThePagesScript() throws Exception {
        assertThat(written(ReportFormat.HTML).split("</script>", -1)).hasSize(2);
    }
}
