package org.exomem.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class FuzzerOutputTest {
    private final FuzzerOutput output = new FuzzerOutput();

    private void lines(String lines) {
        lines.lines().forEach(output::line);
    }

    @Test
    void aRunThatFindsNothingTellsItsInputsAndCoverage() {
        lines("""
                INFO: Seed: 118319902
                #2	INITED cov: 1 ft: 1 corp: 1/1b exec/s: 0 rss: 835Mb
                #1548	NEW    cov: 17 ft: 19 corp: 4/25b lim: 14 exec/s: 0 rss: 835Mb L: 12/12 MS: 2 InsertByte-Custom-
                #65536	pulse  cov: 314 ft: 335 corp: 43/398b lim: 453 exec/s: 10922 rss: 542Mb
                #202022	DONE   cov: 474 ft: 500 corp: 63/1352b lim: 600 exec/s: 15540 rss: 542Mb
                stat::number_of_executed_units: 202023
                """);
        assertThat(output.inputs()).isEqualTo(202_023);
        assertThat(output.coverage()).isEqualTo(474);
        assertThat(output.finding()).isEmpty();
        assertThat(output.file()).isEmpty();
    }

    @Test
    void aFindingIsToldWithItsFile() {
        lines("""
                == Java Exception: org.exomem.fuzz.BrokenRule: hasAvailable errs
                	at org.exomem.fuzz.BrokenRule.unless(BrokenRule.java:18)
                artifact_prefix='./'; Test unit written to /findings/crash-1960
                Base64: BgYAAAAALJiYeg==
                """);
        assertThat(output.finding()).contains("org.exomem.fuzz.BrokenRule: hasAvailable errs");
        assertThat(output.file()).contains(Path.of("/findings/crash-1960"));
    }

    @Test
    void anInputThatTakesTooLongIsAFinding() {
        lines("""
                ==4711== ERROR: libFuzzer: timeout after 31 seconds
                SUMMARY: libFuzzer: timeout
                """);
        assertThat(output.finding()).contains("timeout after 31 seconds");
    }
}
