package org.exomem.conform.sample;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.exomem.conform.backend.ListeningBackEnd;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Runner;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.suite.Selection;
import org.exomem.conform.trial.BackEnd;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;
import org.exomem.conform.trial.Sample;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Devices that give random bytes. */
class RngSampleTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(ints = {1, 32, 64, 4096})
    void aDeviceThatFillsBuffersIsFoundToBeOne(int most) throws Exception {
        try (RngBackEnd device = new RngBackEnd(folder.resolve("s"), most);
                BackEnd backEnd = new ListeningBackEnd(folder.resolve("s"))) {
            assertThat(SampleChoice.find(backEnd, DeviceType.ANY).map(Sample::name))
                    .hasValueSatisfying(name -> assertThat(name).startsWith("virtio-rng"));
        }
    }

    @Test
    void aDeviceThatWritesNothingIsNone() throws Exception {
        try (RngBackEnd device = new RngBackEnd(folder.resolve("s"), 0);
                BackEnd backEnd = new ListeningBackEnd(folder.resolve("s"))) {
            assertThat(SampleChoice.find(backEnd, DeviceType.ANY)
                            .map(Sample::name)
                            .orElse(""))
                    .doesNotStartWith("virtio-rng");
        }
    }

    @Test
    void ringsAreTestedWithIt() throws Exception {
        RunReport report;
        try (RngBackEnd device = new RngBackEnd(folder.resolve("s"), 64);
                BackEnd backEnd = new ListeningBackEnd(folder.resolve("s"))) {
            report = new Runner(backEnd, DeviceType.ANY, Limits.USUAL, Runner.Progress.UNWATCHED)
                    .run(Selection.of(List.of("ring.split")));
        }
        assertThat(report.sample()).startsWith("virtio-rng");
        assertThat(report.results())
                .filteredOn(result -> !result.verdict().isGood())
                .map(CheckResult::message)
                .isEmpty();
        assertThat(report.count(Verdict.PASS)).isGreaterThan(report.count(Verdict.SKIP));
    }
}
