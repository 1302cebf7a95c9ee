package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Guests whose balloon is inflated before they move. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class BalloonFirstMigrationTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    private static final long MIB = 1 << 20;
    private static final long MEMORY = 512 * MIB;

    @TempDir
    Path folder;

    private TwoHosts hosts(String balloon) throws Exception {
        return new TwoHosts(folder, MEMORY, balloon, TwoHosts::logged);
    }

    private static MigrationRequest request(TwoHosts hosts) {
        return hosts.request().withBalloonFirst();
    }

    @Test
    void balloonTakesFirstWhatTheGuestCanSpare() throws Exception {
        try (TwoHosts hosts = hosts(",deflate-on-oom=on")) {
            hosts.source.guest.work(300 * MIB, 280 * MIB);
            hosts.migrate(request(hosts));
            assertThat(hosts.source.state().error()).isEmpty();
            assertThat(hosts.destination.state().status()).isEqualTo(Status.COMPLETED);
            assertThat(hosts.destination.guest.verify()).isEmpty();
            BalloonFirst.Result first = hosts.source.state().balloonFirst().orElseThrow();
            assertThat(first.after()).isEqualTo(first.target()).isLessThan(200 * MIB);
            // No other size was requested, at either host.
            assertThat(hosts.source.balloon().target()).isEmpty();
            assertThat(hosts.destination.balloon().target()).isEmpty();
        }
    }

    @Test
    void balloonIsAsItWasAfterAMigrationThatFailed() throws Exception {
        try (TwoHosts hosts = hosts(",deflate-on-oom=on")) {
            hosts.source.guest.work(300 * MIB, 280 * MIB);
            long before = hosts.source.balloon().actual();
            // No destination is waiting.
            hosts.source.migrate(request(hosts));
            assertThat(hosts.source.awaitEnd().status()).isEqualTo(Status.FAILED);
            assertThat(hosts.source.state().balloonFirst().orElseThrow().after())
                    .isLessThan(before);
            await().atMost(LIMIT).until(() -> hosts.source.balloon().actual() == before);
            assertThat(hosts.source.guest.verify()).isEmpty();
        }
    }

    @Test
    void driverThatDoesNotTakeBackWhatItNeedsIsLeftAlone() throws Exception {
        try (TwoHosts hosts = hosts("")) {
            hosts.source.migrate(request(hosts));
            assertThat(hosts.source.awaitEnd().error().orElseThrow()).contains("deflate-on-oom=on");
            assertThat(hosts.source.guest.verify()).isEmpty();
        }
    }

    @Test
    void inflationThatIsCancelledIsTakenBack() throws Exception {
        try (TwoHosts hosts = hosts(",deflate-on-oom=on")) {
            long before = hosts.source.balloon().actual();
            try (BalloonFirst first = new BalloonFirst(hosts.source.vm)) {
                BalloonFirst.Result result = first.inflate(() -> true, soFar -> {});
                assertThat(result.target()).isLessThan(before);
                assertThat(result.after()).isEqualTo(before);
                await().atMost(LIMIT).until(() -> hosts.source.balloon().actual() == result.target());
            }
            await().atMost(LIMIT).until(() -> hosts.source.balloon().actual() == before);
        }
    }

    @Test
    void inflationTellsHowFarItIs() throws Exception {
        try (TwoHosts hosts = hosts(",deflate-on-oom=on");
                BalloonFirst first = new BalloonFirst(hosts.source.vm)) {
            List<BalloonFirst.Result> told = new ArrayList<>();
            BalloonFirst.Result result = first.inflate(() -> false, told::add);
            assertThat(told.getLast()).isEqualTo(result);
            assertThat(told).hasSizeGreaterThan(1).allSatisfy(soFar -> {
                assertThat(soFar.target()).isEqualTo(result.target());
                assertThat(soFar.after()).isBetween(result.after(), result.before());
            });
        }
    }

    @Test
    void vmWithoutADriverIsNotAsked() throws Exception {
        try (TwoHosts hosts = hosts(",deflate-on-oom=on");
                BalloonFirst first = new BalloonFirst(hosts.destination.vm)) {
            assertThatThrownBy(() -> first.inflate(() -> false, soFar -> {}))
                    .isInstanceOf(IOException.class)
                    .hasMessage("VM \"web\" can't have its balloon inflated first: no driver has started");
        }
    }
}
