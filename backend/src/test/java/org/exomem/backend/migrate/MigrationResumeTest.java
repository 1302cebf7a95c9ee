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
import org.exomem.conformance.embedded.EmbeddedOptions;
import org.exomem.migration.precopy.PrecopyOptions;
import org.exomem.migration.stream.BandwidthLimit;
import org.exomem.migration.stream.MemoryDescription;
import org.exomem.migration.stream.MigrationAddress;
import org.exomem.migration.stream.MigrationSender;
import org.exomem.migration.stream.PeerFault;
import org.exomem.migration.stream.StreamOptions;
import org.exomem.migration.stream.StreamSecurity;
import org.exomem.vhostuser.linux.SharedFile;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Migrations whose network is cut while a guest works that verifies all of its memory: they go on where they were. */
@Timeout(value = 90, unit = TimeUnit.SECONDS)
class MigrationResumeTest {
    private static final long MIB = 1 << 20;
    private static final long MEMORY = 128 * MIB;
    private static final long HELD = 40 * MIB;
    /** So that a first round takes two seconds, and what the guest writes meanwhile makes several rounds more. */
    private static final long SLOW = 20 * MIB;

    private static final Duration LIMIT = Duration.ofSeconds(30);

    @TempDir
    Path folder;

    private final Left before = Left.now();
    private final List<Status> source = new CopyOnWriteArrayList<>();
    private final List<Status> destination = new CopyOnWriteArrayList<>();
    private TwoHosts hosts;
    private @Nullable Relay relay;

    @BeforeEach
    void twoHosts() throws Exception {
        hosts = new TwoHosts(folder, MEMORY, MigrationResumeTest::logged);
        hosts.source.guest.work(HELD, 0);
        hosts.source.guest.busy(2000, 200, 2000, false);
        hosts.watcher = this::note;
    }

    private static EmbeddedOptions logged(EmbeddedOptions options) {
        return options.withLog(options.ram().resolveSibling(options.ram().getFileName() + ".log"));
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
        MigrationWish wish = wish(MigrationAddress.parse("127.0.0.1:0"), there);
        Relay between = new Relay(hosts.receive(wish).address().resolve());
        relay = between;
        hosts.source.migrations.migrate(TwoHosts.VM, wish(MigrationAddress.parse(between.address()), here));
    }

    private Relay network() {
        return Objects.requireNonNull(relay, "begun");
    }

    private MigrationWish wish(MigrationAddress address, Duration within) {
        MigrationWish wish = hosts.wish(PrecopyOptions.DEFAULT.withDowntimeLimit(Duration.ofMillis(1)));
        StreamOptions stream = StreamOptions.defaults().withChannels(2).withResumeWithin(within);
        return new MigrationWish(address, wish.vmmQmp(), wish.security(), stream, SLOW, wish.hints(), wish.precopy());
    }

    private void awaitTravelling(long bytes) {
        long begin = hosts.source.state().sent();
        await().until(() -> hosts.source.state().sent() > begin + bytes
                || hosts.source.state().status().isOver());
        assertThat(hosts.source.state().status()).isEqualTo(Status.ACTIVE);
    }

    private int round() {
        return hosts.source.state().progress().orElseThrow().round();
    }

    private void assertMoved(int cuts) {
        hosts.awaitEnd();
        assertThat(hosts.source.state().error()).isEmpty();
        assertThat(hosts.source.state().status()).isEqualTo(Status.COMPLETED);
        assertThat(hosts.destination.state().error()).isEmpty();
        assertThat(hosts.destination.state().status()).isEqualTo(Status.COMPLETED);
        assertThat(hosts.destination.guest.verify()).isEmpty();
        assertThat(hosts.destination.guest.failure()).isNull();
        assertThat(hosts.destination.state().received().orElseThrow().cuts()).isGreaterThanOrEqualTo(cuts);
        assertThat(source).contains(Status.RECONNECTING).endsWith(Status.COMPLETED);
        assertThat(destination).contains(Status.RECONNECTING).endsWith(Status.COMPLETED);
    }

    /** The guest runs on at the source, and the destination has given all memory back. */
    private void assertStayed() throws IOException {
        assertThat(hosts.source.guest.verify()).isEmpty();
        assertThat(hosts.source.guest.failure()).isNull();
        await().until(() ->
                hosts.source.vm.state().join().balloon().orElseThrow().connected());
        try (SharedFile ram = SharedFile.open(hosts.destination.guest.options().ram())) {
            assertThat(ram.allocatedBytes()).isZero();
        }
    }

    @Test
    void cutInTheFirstRoundIsMended() throws Exception {
        begin(LIMIT, LIMIT);
        awaitTravelling(4 * MIB);
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
        awaitTravelling(MIB);
        await().until(() -> round() > 1);
        network().sever();
        assertMoved(1);
    }

    @Test
    void migrationThatIsCutAgainAndAgainArrives() throws Exception {
        begin(LIMIT, LIMIT);
        for (int i = 0; i < 4; i++) {
            awaitTravelling(4 * MIB);
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
    void pausedGuestDoesNotWaitLongForItsNetwork() throws Exception {
        cutWhenPaused(() -> network().cut());
        begin(LIMIT, Duration.ofSeconds(1));
        assertThat(hosts.source.awaitEnd().error())
                .hasValueSatisfying(error -> assertThat(error).contains("could not be made again within 3000 ms"));
        assertThat(hosts.destination.awaitEnd().error())
                .hasValueSatisfying(error -> assertThat(error).contains("did not come back within 1000 ms"));
        assertStayed();
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
    void cutThatLastsTooLongLeavesTheGuestWhereItIs() throws Exception {
        begin(Duration.ofSeconds(1), Duration.ofSeconds(1));
        awaitTravelling(4 * MIB);
        network().cut();
        assertThat(hosts.source.awaitEnd().error())
                .hasValueSatisfying(error -> assertThat(error)
                        .startsWith("the connection was lost (")
                        .contains("could not be made again within 1000 ms"));
        assertThat(hosts.destination.awaitEnd().error())
                .hasValueSatisfying(error -> assertThat(error).contains("did not come back within 1000 ms"));
        assertThat(source).endsWith(Status.RECONNECTING, Status.FAILED);
        assertThat(destination).endsWith(Status.RECONNECTING, Status.FAILED);
        assertStayed();
    }

    @Test
    void sourceThatIsNotToComeBackFailsAtOnce() throws Exception {
        begin(Duration.ZERO, LIMIT);
        awaitTravelling(4 * MIB);
        network().cut();
        hosts.source.awaitEnd();
        hosts.destination.awaitEnd();
        assertThat(source).endsWith(Status.ACTIVE, Status.FAILED);
        assertThat(destination).endsWith(Status.ACTIVE, Status.FAILED);
        assertStayed();
    }

    @Test
    void cancelEndsAMigrationThatIsCut() throws Exception {
        begin(LIMIT, Duration.ofSeconds(1));
        awaitTravelling(4 * MIB);
        network().cut();
        await().until(() -> hosts.source.state().status() == Status.RECONNECTING);
        hosts.source.migrations.cancel(TwoHosts.VM);
        assertThat(hosts.source.awaitEnd().status()).isEqualTo(Status.CANCELLED);
        assertThat(hosts.destination.awaitEnd().status()).isEqualTo(Status.FAILED);
        assertStayed();
    }

    @Test
    void nobodyElseGetsWhatIsKept() throws Exception {
        begin(LIMIT, LIMIT);
        awaitTravelling(4 * MIB);
        network().cut();
        await().until(() -> hosts.destination.state().status() == Status.RECONNECTING);
        MemoryDescription same =
                new MemoryDescription(4096, List.of(new MemoryDescription.MemoryFile("ram", MEMORY, 4096)));
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
