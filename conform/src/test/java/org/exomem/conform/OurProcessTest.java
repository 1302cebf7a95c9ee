package org.exomem.conform;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.stream.Stream;
import org.exomem.conform.backend.CommandBackEnd;
import org.exomem.conform.check.Check;
import org.exomem.conform.checks.hostile.LeakChecks;
import org.exomem.conform.checks.inflight.InflightChecks;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Runner;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.suite.Suite;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;
import org.junit.jupiter.api.Test;

/** Properties that only a back-end in a separate process shows: it leaks nothing, and continues after it was killed. */
class OurProcessTest {
    private static final Duration TO_START = Duration.ofMinutes(1);

    @Test
    void aBalloonLeaksNothingAndOutlivesBeingKilled() throws Exception {
        List<Check> checks = Stream.of(
                        Suite.all().stream().filter(check -> check.requirement().equals("robust.session.5")),
                        InflightChecks.ALL.stream(),
                        LeakChecks.ALL.stream())
                .flatMap(each -> each)
                .toList();
        try (CommandBackEnd backEnd = new CommandBackEnd(BalloonProcess.command(), TO_START)) {
            RunReport report =
                    new Runner(backEnd, DeviceType.BALLOON, Limits.USUAL, Runner.Progress.UNWATCHED).run(checks);
            assertThat(report.results())
                    .isNotEmpty()
                    .allSatisfy(result -> assertThat(result.verdict())
                            .as(result.check() + ": " + result.message())
                            .isEqualTo(Verdict.PASS));
        }
    }

    @Test
    void aProcessThatLosesDescriptorsAndMemoryIsFound() throws Exception {
        List<Check> checks = LeakChecks.ALL.stream()
                .filter(check -> !check.requirement().equals("robust.leak.3"))
                .toList();
        try (CommandBackEnd backEnd = new CommandBackEnd(BalloonProcess.leakyCommand(), TO_START)) {
            RunReport report =
                    new Runner(backEnd, DeviceType.BALLOON, Limits.USUAL, Runner.Progress.UNWATCHED).run(checks);
            assertThat(report.results())
                    .hasSize(2)
                    .allSatisfy(result -> assertThat(result.verdict())
                            .as(result.check() + ": " + result.message())
                            .isEqualTo(Verdict.FAIL));
        }
    }
}
