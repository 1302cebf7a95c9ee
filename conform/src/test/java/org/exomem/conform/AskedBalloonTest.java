package org.exomem.conform;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.exomem.balloon.HintingState;
import org.exomem.conform.backend.ListeningBackEnd;
import org.exomem.conform.checks.balloon.BalloonChecks;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Runner;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;
import org.exomem.conformance.BalloonBackEnd;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A balloon whose host requests hints and statistics all the time: no check of them is skipped, and it meets their
 * requirements.
 */
class AskedBalloonTest {
    private static final int PERIOD_MILLIS = 20;
    /** Within these times the host has certainly sent a request. */
    private static final Limits LIMITS = new Limits(Duration.ofSeconds(30), Duration.ofMillis(500));

    @TempDir
    Path folder;

    @Test
    void noCheckOfABalloonIsSkippedWhoseHostAsks() throws Exception {
        try (BalloonBackEnd backEnd = new BalloonBackEnd(folder.resolve("s"));
                ScheduledExecutorService host = Executors.newSingleThreadScheduledExecutor()) {
            host.scheduleWithFixedDelay(() -> ask(backEnd), 0, PERIOD_MILLIS, TimeUnit.MILLISECONDS);
            RunReport report = new Runner(
                            new ListeningBackEnd(backEnd.socket), DeviceType.BALLOON, LIMITS, Runner.Progress.UNWATCHED)
                    .run(BalloonChecks.ALL);
            host.shutdownNow();
            assertThat(report.results())
                    .isNotEmpty()
                    .allSatisfy(result -> assertThat(result.verdict())
                            .as(result.check() + ": " + result.message())
                            .isEqualTo(Verdict.PASS));
        }
    }

    private static void ask(BalloonBackEnd backEnd) {
        List<HintingState> states = backEnd.hinting;
        HintingState state = states.isEmpty() ? HintingState.IDLE : states.getLast();
        backEnd.loop.submit(() -> {
            switch (state) {
                case IDLE, DONE -> backEnd.balloon.startHinting();
                case STOPPED -> backEnd.balloon.finishHinting();
                case REQUESTED, RUNNING -> {}
            }
            return true;
        });
        backEnd.loop.submit(() -> {
            backEnd.balloon.requestStatistics();
            return true;
        });
    }
}
