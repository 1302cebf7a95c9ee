package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.exomem.migration.PeerFault;
import org.exomem.migration.precopy.PrecopyOptions;
import org.exomem.migration.stream.format.MemoryDescription;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.source.MigrationSender;
import org.exomem.migration.stream.wire.BandwidthLimit;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Migrations whose network is cut while a guest works that verifies all of its memory. They continue where they
 * stopped.
 */
@Timeout(value = 90, unit = TimeUnit.SECONDS)
class MigrationResumeTest {
    private static final long MIB = 1 << 20;
    private static final Duration LIMIT = Duration.ofSeconds(30);

    @TempDir
    Path folder;

    private final Leftovers before = Leftovers.now();
    private final List<Status> source = new CopyOnWriteArrayList<>();
    private final List<Status> destination = new CopyOnWriteArrayList<>();
    private Duration answerWithin = LIMIT;
    private TwoHosts hosts;
    private @Nullable Relay relay;

    @BeforeEach
    void twoHosts() throws Exception {
        hosts = TwoHosts.atWork(folder);
        hosts.source.guest.busy(2000, 200, 2000, false);
        hosts.watcher = this::note;
    }

    private void note(MigrationState state) {
        (state.incoming() ? destination : source).add(state.status());
    }

    @AfterEach
    void nothingIsLeft() {
        if (relay != null) {
            relay.close();
        }
        hosts.close();
        before.assertSameNow();
    }

    /** Two data connections, so that they may break at different times. */
    private void begin(Duration here, Duration there) throws IOException {
        Relay between = new Relay(hosts.receive(request(there).withAddress(TwoHosts.ANY_PORT))
                .address()
                .resolve());
        relay = between;
        hosts.source.migrate(request(here).withAddress(MigrationAddress.parse(between.address())));
    }

    private Relay network() {
        return Objects.requireNonNull(relay, "begun");
    }

    private MigrationRequest request(Duration within) {
        return hosts.request(PrecopyOptions.DEFAULT.withDowntimeLimit(Duration.ofMillis(1)))
                .withStream(StreamOptions.defaults()
                        .withChannels(2)
                        .withResumeWithin(within)
                        .withAnswerWithin(answerWithin))
                .withBandwidth(TwoHosts.SLOW);
    }

    private int round() {
        return hosts.source.state().progress().orElseThrow().round();
    }

    private void assertMoved(int cuts) {
        hosts.awaitEnd();
        hosts.assertMoved();
        assertThat(hosts.destination.state().received().orElseThrow().cuts()).isGreaterThanOrEqualTo(cuts);
        assertThat(source).contains(Status.RECONNECTING).endsWith(Status.COMPLETED);
        assertThat(destination).contains(Status.RECONNECTING).endsWith(Status.COMPLETED);
    }

    @Test
    void cutInTheFirstRoundIsMended() throws Exception {
        begin(LIMIT, LIMIT);
        hosts.source.awaitTravelling(4 * MIB);
        assertThat(round()).isEqualTo(1);
        network().cut();
        await().until(() -> hosts.source.state().status() == Status.RECONNECTING);
        assertThat(hosts.source.state().error()).isPresent();
        await().until(() -> hosts.destination.state().status() == Status.RECONNECTING);
        network().mend();
        assertMoved(1);
    }

    @Test
    void cutInALaterRoundIsMended() throws Exception {
        begin(LIMIT, LIMIT);
        hosts.source.awaitTravelling(MIB);
        await().until(() -> round() > 1);
        network().sever();
        assertMoved(1);
    }

    @Test
    void migrationThatIsCutAgainAndAgainArrives() throws Exception {
        begin(LIMIT, LIMIT);
        for (int i = 0; i < 4; i++) {
            hosts.source.awaitTravelling(4 * MIB);
            network().sever();
            int cuts = i + 1;
            await().until(() ->
                    source.stream().filter(Status.RECONNECTING::equals).count() >= cuts);
        }
        assertMoved(4);
    }

    @Test
    void cutWhileTheGuestIsPausedIsMendedAtOnce() throws Exception {
        cutWhenPaused(() -> network().sever());
        begin(LIMIT, LIMIT);
        assertMoved(1);
        assertThat(source).containsSubsequence(Status.DEVICE, Status.RECONNECTING, Status.DEVICE, Status.COMPLETED);
    }

    @Test
    @Tag("MIG-CUT-6")
    void pausedGuestDoesNotWaitLongForItsNetwork() throws Exception {
        cutWhenPaused(() -> network().cut());
        begin(LIMIT, Duration.ofSeconds(1));
        assertThat(hosts.source.awaitEnd().error())
                .hasValueSatisfying(error -> assertThat(error).contains("could not be restored within 3000 ms"));
        assertThat(hosts.destination.awaitEnd().error())
                .hasValueSatisfying(error -> assertThat(error).contains("did not reconnect within 1000 ms"));
        hosts.assertUnharmed();
    }

    @Test
    void connectionThatTakesNothingMoreIsMadeAgainThoughTheDestinationLives() throws Exception {
        answerWithin = Duration.ofSeconds(1);
        cutWhenPaused(() -> network().hold(false));
        begin(LIMIT, LIMIT);
        assertMoved(1);
        assertThat(source).containsSubsequence(Status.DEVICE, Status.RECONNECTING, Status.DEVICE, Status.COMPLETED);
    }

    @Test
    void pausedGuestDoesNotWaitLongForADestinationThatTakesNothing() throws Exception {
        answerWithin = Duration.ofSeconds(1);
        cutWhenPaused(() -> network().hold(true));
        begin(LIMIT, Duration.ofSeconds(1));
        hosts.source.assertEnded(Status.FAILED, "within 1000 ms), and could not be restored within 3000 ms");
        hosts.destination.assertEnded(Status.FAILED, "did not reconnect within 1000 ms");
        hosts.assertUnharmed();
    }

    private void cutWhenPaused(Runnable cut) {
        AtomicBoolean done = new AtomicBoolean();
        hosts.watcher = state -> {
            note(state);
            if (!state.incoming() && state.status() == Status.DEVICE && !done.getAndSet(true)) {
                cut.run();
            }
        };
    }

    @Test
    @Tag("STR-RES-1")
    void cutThatLastsTooLongLeavesTheGuestWhereItIs() throws Exception {
        begin(Duration.ofSeconds(1), Duration.ofSeconds(1));
        hosts.source.awaitTravelling(4 * MIB);
        network().cut();
        assertThat(hosts.source.awaitEnd().error())
                .hasValueSatisfying(error -> assertThat(error)
                        .startsWith("the connection was lost (")
                        .contains("could not be restored within 1000 ms"));
        assertThat(hosts.destination.awaitEnd().error())
                .hasValueSatisfying(error -> assertThat(error).contains("did not reconnect within 1000 ms"));
        assertThat(source).endsWith(Status.RECONNECTING, Status.FAILED);
        assertThat(destination).endsWith(Status.RECONNECTING, Status.FAILED);
        hosts.assertUnharmed();
    }

    @Test
    @Tag("STR-RES-7")
    void sourceThatIsNotToComeBackFailsAtOnce() throws Exception {
        begin(Duration.ZERO, LIMIT);
        hosts.source.awaitTravelling(4 * MIB);
        network().cut();
        hosts.source.awaitEnd();
        hosts.destination.awaitEnd();
        assertThat(source).endsWith(Status.ACTIVE, Status.FAILED);
        assertThat(destination).endsWith(Status.ACTIVE, Status.FAILED);
        hosts.assertUnharmed();
    }

    @Test
    void cancelFreesTheSourceOfAMigrationThatIsCutAtOnceAndTheDestinationInItsOwnTime() throws Exception {
        begin(LIMIT, Duration.ofSeconds(3));
        hosts.source.awaitTravelling(4 * MIB);
        network().cut();
        await().until(() -> hosts.source.state().status() == Status.RECONNECTING);
        await().until(() -> hosts.destination.state().status() == Status.RECONNECTING);
        hosts.source.cancel();
        hosts.source.assertEnded(Status.CANCELLED, "cancelled at this end");
        assertThat(hosts.destination.state().status()).isEqualTo(Status.RECONNECTING);
        assertThat(hosts.destination.allocated()).isPositive();
        // The guest could move to another host now, if one were waiting.
        hosts.source.migrate(
                request(LIMIT).withAddress(MigrationAddress.parse(network().address())));
        hosts.source.assertEnded(
                Status.FAILED, "can't reach a destination at " + network().address());
        hosts.destination.assertEnded(Status.FAILED, "did not reconnect within 3000 ms");
        hosts.assertUnharmed();
        hosts.assertSecondSucceeds();
    }

    @Test
    void nobodyElseGetsWhatIsKept() throws Exception {
        begin(LIMIT, LIMIT);
        hosts.source.awaitTravelling(4 * MIB);
        network().cut();
        await().until(() -> hosts.destination.state().status() == Status.RECONNECTING);
        MemoryDescription same =
                new MemoryDescription(4096, List.of(new MemoryDescription.MemoryFile("ram", TwoHosts.MEMORY, 4096)));
        assertThatThrownBy(() -> MigrationSender.connect(
                        MigrationAddress.parse(hosts.destination.state().peer()),
                        StreamSecurity.none(),
                        StreamOptions.defaults(),
                        same,
                        new BandwidthLimit(0)))
                .isInstanceOf(PeerFault.class)
                .hasMessageContaining("this destination is receiving another migration");
        network().mend();
        assertMoved(1);
    }
}
