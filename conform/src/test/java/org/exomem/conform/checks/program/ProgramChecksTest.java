package org.exomem.conform.checks.program;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import org.exomem.conform.backend.CommandBackEnd;
import org.exomem.conform.check.Check;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.Runner;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A program that obeys the conventions passes. A program that violates one fails for that reason. */
class ProgramChecksTest {
    private static final Duration TO_START = Duration.ofMinutes(1);

    @Test
    void aProgramThatKeepsTheConventionsPasses() throws Exception {
        assertThat(run(BalloonProgram.command(BalloonProgram.Fault.NONE), ProgramChecks.ALL))
                .hasSize(ProgramChecks.ALL.size())
                .allSatisfy(result -> assertThat(result.verdict())
                        .as(result.check() + ": " + result.message())
                        .isEqualTo(Verdict.PASS));
    }

    @ParameterizedTest
    @CsvSource({
        "IGNORES_SIGTERM, vhost.program.6",
        "KNOWS_NO_FD, vhost.program.8",
        "TAKES_BOTH_SOCKETS, vhost.program.9",
        "WRITES_NO_JSON, vhost.program.10",
        "FAILS_AFTER_CAPABILITIES, vhost.program.10",
        "MAKES_SOCKET_FOR_CAPABILITIES, vhost.program.11"
    })
    void aProgramThatBreaksAConventionFails(BalloonProgram.Fault fault, String requirement) throws Exception {
        assertFails(BalloonProgram.command(fault), requirement);
    }

    private static void assertFails(String command, String requirement) throws IOException {
        List<Check> one = ProgramChecks.ALL.stream()
                .filter(check -> check.requirement().equals(requirement))
                .toList();
        assertThat(run(command, one))
                .hasSize(1)
                .allSatisfy(result -> assertThat(result.verdict()).isEqualTo(Verdict.FAIL));
    }

    private static List<CheckResult> run(String command, List<Check> checks) throws IOException {
        try (CommandBackEnd backEnd = new CommandBackEnd(command, TO_START)) {
            return new Runner(backEnd, DeviceType.BALLOON, Limits.USUAL, Runner.Progress.UNWATCHED)
                    .run(checks)
                    .results();
        }
    }
}
