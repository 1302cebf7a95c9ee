package org.exomem.conform.broken;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.stream.Stream;
import org.exomem.conform.backend.ListeningBackEnd;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.RunReport;
import org.exomem.conform.run.Runner;
import org.exomem.conform.sample.SampleChoice;
import org.exomem.conform.suite.Suite;
import org.exomem.conform.trial.DeviceType;
import org.exomem.conform.trial.Limits;
import org.exomem.conform.trial.Session;
import org.exomem.conform.trial.Trial;
import org.exomem.conform.trial.Wish;
import org.exomem.conform.wire.Transcript;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.guest.RingDriver;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A saboteur without a fault is not noticed. So a failure with a fault is the effect of that fault. */
class TransparentSaboteurTest {
    private static final Limits LIMITS = new Limits(Duration.ofSeconds(10), Limits.USUAL.quiet());
    private static final int REQUESTS = 300;
    /** Requirements that a relay of a packed ring can't follow; see {@link PackedRelay}. */
    private static final Set<String> UNRELAYED = Set.of("vhost.vring.5", "vhost.inflight.22", "vhost.inflight.24");

    @TempDir
    Path folder;

    static Stream<Arguments> devices() {
        return Stream.of(
                Arguments.of(DeviceType.BALLOON, false),
                Arguments.of(DeviceType.BALLOON, true),
                Arguments.of(DeviceType.MEM, true));
    }

    @ParameterizedTest(name = "{0}, between the rings: {1}")
    @MethodSource("devices")
    void ourDevicesPassThroughIt(DeviceType type, boolean relayed) throws Exception {
        try (Victim victim = Victim.of(type, folder);
                Saboteur saboteur = new Saboteur(
                        folder.resolve("s"), victim.socket(), () -> relayed ? Tampering.RELAYED : Tampering.NONE)) {
            saboteur.arm();
            RunReport report = new Runner(
                            new ListeningBackEnd(saboteur.socket()), type, Limits.USUAL, Runner.Progress.UNWATCHED)
                    .run(Suite.all().stream()
                            .filter(check -> !relayed || !UNRELAYED.contains(check.requirement()))
                            .toList());
            assertThat(report.results().stream()
                            .filter(result -> !result.verdict().isGood())
                            .map(TransparentSaboteurTest::text))
                    .isEmpty();
            assertThat(saboteur.failures()).isEmpty();
        }
    }

    static Stream<Arguments> rings() {
        return Stream.of(DeviceType.BALLOON, DeviceType.MEM)
                .flatMap(type -> Stream.of(
                                0L,
                                Features.EVENT_IDX,
                                Features.IN_ORDER,
                                Features.RING_PACKED,
                                Features.RING_PACKED | Features.EVENT_IDX,
                                Features.RING_PACKED | Features.IN_ORDER)
                        .map(features -> Arguments.of(type, features)));
    }

    @ParameterizedTest(name = "{0}, features {1}")
    @MethodSource("rings")
    void requestsAreServedThroughIt(DeviceType type, long features) throws Exception {
        try (Victim victim = Victim.of(type, folder);
                Saboteur saboteur = new Saboteur(folder.resolve("s"), victim.socket(), () -> Tampering.RELAYED)) {
            saboteur.arm();
            ListeningBackEnd backEnd = new ListeningBackEnd(saboteur.socket());
            try (Trial trial = new Trial(
                    backEnd, LIMITS, type, SampleChoice.find(backEnd, type).orElseThrow(), new Transcript())) {
                Session session = trial.running(Wish.USUAL.with(features));
                for (int i = 0; i < REQUESTS; i++) {
                    session.serve();
                }
                RingDriver ring = session.ring();
                int base = session.frontEnd().getVringBase(ring.index());
                assertThat(base).isEqualTo(ring.base());
                ring.add(session.request().prepare());
                session.device().start(ring, base, false);
                session.verify(ring.await(LIMITS.answer()));
                session.serve();
            }
            assertThat(saboteur.failures()).isEmpty();
        }
    }

    static String text(CheckResult result) {
        StringBuilder text = new StringBuilder()
                .append(result.verdict())
                .append(' ')
                .append(result.check())
                .append(": ")
                .append(result.message());
        result.transcript().forEach(line -> text.append("\n    ").append(line.text()));
        return text.append('\n').toString();
    }
}
