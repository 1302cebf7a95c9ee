package org.exomem.conform.broken;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.exomem.conform.backend.ListeningBackEnd;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Runner;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.suite.Selection;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;
import org.exomem.conformance.frontend.Request;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** If the very first answer of a back-end is wrong, there is still a report, with that as a failure. */
class FirstAnswerTest {
    private static final Limits SHORT = new Limits(Duration.ofSeconds(2), Limits.USUAL.quiet());

    @TempDir
    Path folder;

    static Stream<Arguments> wrongAnswers() {
        return Stream.of(
                answer("without the reply flag", message -> message.withFlags(1)),
                answer("of another request", message -> message.withRequest(Request.GET_STATUS)),
                answer("of 4 bytes", message -> message.withPayload(new byte[4])));
    }

    private static Arguments answer(String name, UnaryOperator<Message> change) {
        return Arguments.of(name, change);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("wrongAnswers")
    void isAFailureAndNoEndOfTheRun(String name, UnaryOperator<Message> change) throws Exception {
        try (Victim victim = Victim.of(DeviceType.BALLOON, folder);
                Saboteur saboteur = new Saboteur(
                        folder.resolve("s"),
                        victim.socket(),
                        () -> new Broken().answering(Request.GET_FEATURES, change))) {
            saboteur.arm();
            RunReport report = new Runner(
                            new ListeningBackEnd(saboteur.socket()),
                            DeviceType.BALLOON,
                            SHORT,
                            Runner.Progress.UNWATCHED)
                    .run(Selection.of(List.of("vhost.answer.1", "vhost.header", "vhost.message")));
            assertThat(report.results()).isNotEmpty();
            assertThat(report.count(Verdict.FAIL)).as(name).isPositive();
        }
    }
}
