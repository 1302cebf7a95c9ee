package org.exomem.others;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.exomem.conform.backend.CommandBackEnd;
import org.exomem.conform.run.Expectations;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Runner;
import org.exomem.conform.suite.Suite;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The runner's failures with back-ends of other projects must be those that were analysed and recorded in {@code
 * tests/others/expect}. A further failure means that a check is wrong or a new version is worse. A missing failure
 * means that a check does not see what it saw before.
 *
 * <p>With {@code -Dexomem.record=true} the results go to {@code spec/results}.
 */
class OtherBackEndsTest {
    private static final Duration TO_LISTEN = Duration.ofSeconds(30);

    @BeforeAll
    static void theBackEndsAreThere() {
        // Not in every build: each takes minutes, and the failures of new checks must be analysed first.
        assumeThat(Boolean.getBoolean("exomem.others") || Boolean.getBoolean("exomem.record"))
                .isTrue();
        if (!"true".equals(System.getenv("CI"))) {
            assumeThat(OtherBackEnd.whyAbsent()).isEmpty();
        }
        assertThat(OtherBackEnd.whyAbsent()).isEmpty();
    }

    @ParameterizedTest
    @EnumSource
    @Timeout(value = 10, unit = TimeUnit.MINUTES)
    void failsWhereItIsKnownToFailAndNowhereElse(OtherBackEnd other) throws Exception {
        RunReport report = run(other);
        if (Boolean.getBoolean("exomem.record")) {
            RecordedResults.write(other, report);
        }
        Expectations expected = other.expectations();
        List<String> news = report.results().stream()
                .filter(result -> !result.verdict().isGood() && !expected.cover(result))
                .map(result -> result.check() + "\n    " + result.verdict() + ": " + result.message())
                .toList();
        assertThat(news).as("unknown failures of %s %s", other, other.version()).isEmpty();
        assertThat(expected.unneeded(report))
                .as("known failures that did not come, of %s %s", other, other.version())
                .isEmpty();
        assertThat(report.sample()).as("the request that it serves").startsWith(other.device());
    }

    private static RunReport run(OtherBackEnd other) throws IOException {
        String command = "cd '" + OtherBackEnd.root() + "' && exec " + other.command();
        try (CommandBackEnd backEnd = new CommandBackEnd(command, TO_LISTEN)) {
            return new Runner(backEnd, DeviceType.ANY, Limits.USUAL, Runner.Progress.UNWATCHED).run(Suite.all());
        }
    }
}
