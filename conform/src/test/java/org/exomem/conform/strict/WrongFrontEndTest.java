package org.exomem.conform.strict;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.exomem.conform.run.CheckResult;
import org.exomem.conform.run.Verdict;
import org.exomem.conform.strict.observe.Observation;
import org.exomem.conform.strict.observers.Observers;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Front-ends and drivers with one fault each, which a strict device must notice under its requirement. */
class WrongFrontEndTest {
    /** A small factor, so that a missing event counts as missing soon. */
    private static final double PATIENCE = 0.02;

    private static final Duration LIMIT = Duration.ofSeconds(20);

    @TempDir
    Path folder;

    static Stream<Wrong> wrongs() {
        return Stream.of(
                        WrongMessages.all(),
                        WrongSetUps.all(),
                        WrongStates.all(),
                        WrongStatuses.all(),
                        WrongRings.all(),
                        WrongBalloons.all())
                .flatMap(wrong -> wrong);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("wrongs")
    void isNoticed(Wrong wrong) throws Exception {
        Path socket = folder.resolve("s");
        try (WatchedDevice device = new WatchedDevice(socket, wrong.offer(), wrong.provocation(), PATIENCE)) {
            try (Peer peer = new Peer(socket, wrong.offer(), () -> device.isBroken(wrong.requirement()))) {
                wrong.deed().run(peer);
                await().atMost(LIMIT)
                        .pollInterval(Duration.ofMillis(1))
                        .until(() -> device.isBroken(wrong.requirement()));
            }
            CheckResult result = device.report().results().stream()
                    .filter(each -> each.check().requirements().contains(wrong.requirement()))
                    .filter(each -> each.verdict() == Verdict.FAIL)
                    .findFirst()
                    .orElseThrow();
            assertThat(result.message()).startsWith("wrong ");
            assertThat(result.transcript()).isNotEmpty();
        }
    }

    @Test
    void everythingThatIsWatchedIsDoneWrongByOneOfThem() {
        Set<String> tried = wrongs().map(Wrong::requirement).collect(Collectors.toCollection(TreeSet::new));
        assertThat(Observers.all())
                .filteredOn(each -> each.requirements().stream().noneMatch(tried::contains))
                .extracting(Observation::toString)
                .isEmpty();
    }
}
