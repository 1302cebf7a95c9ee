package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.exomem.embedded.EmbeddedGuest;
import org.exomem.embedded.EmbeddedOptions;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Migrations of which only the last message is lost: the destination's report that the guest runs there. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class LostAnswerTest {
    @TempDir
    Path folder;

    private final Leftovers before = Leftovers.now();
    private final List<Status> source = new CopyOnWriteArrayList<>();
    private final List<Status> destination = new CopyOnWriteArrayList<>();
    private TwoHosts hosts;
    private QmpRelay vmm;
    private volatile @Nullable Relay network;

    @BeforeEach
    void twoHosts() throws Exception {
        hosts = TwoHosts.atWork(folder);
        hosts.watcher = state -> (state.incoming() ? destination : source).add(state.status());
        vmm = new QmpRelay(
                folder.resolve("relay.qmp"), hosts.destination.guest.options().qmp());
    }

    @AfterEach
    void nothingIsLeft() throws Exception {
        network().close();
        vmm.close();
        hosts.close();
        before.assertSameNow();
    }

    /** Returns when the guest runs at the destination, and the source does not know that. */
    private void begin(Duration here, Duration there) throws Exception {
        // Between the source's GO and the destination's RUNNING.
        vmm.watcher = command -> {
            if (command.equals("cont")) {
                network().muted = true;
            }
        };
        MigrationRequest request = hosts.receive(hosts.request()
                .withAddress(TwoHosts.ANY_PORT)
                .withVmm(vmm.path())
                .withStream(within(there)));
        network = new Relay(request.address().resolve());
        hosts.source.migrate(hosts.request()
                .withAddress(MigrationAddress.parse(network().address()))
                .withStream(within(here)));
        assertThat(hosts.destination.awaitEnd().status()).isEqualTo(Status.COMPLETED);
        assertThat(hosts.source.state().status()).isEqualTo(Status.DEVICE);
    }

    private Relay network() {
        return Objects.requireNonNull(network, "begun");
    }

    private static StreamOptions within(Duration limit) {
        return StreamOptions.defaults().withResumeWithin(limit);
    }

    @Test
    @Tag("STR-END-7")
    @Tag("STR-RES-5")
    void sourceComesBackToAskAndIsTold() throws Exception {
        begin(Duration.ofSeconds(30), Duration.ofSeconds(30));
        network().cut();
        await().until(() -> hosts.source.state().status() == Status.RECONNECTING);
        network().muted = false;
        network().mend();
        hosts.awaitEnd();
        hosts.assertMoved();
        assertThat(source).endsWith(Status.DEVICE, Status.RECONNECTING, Status.DEVICE, Status.COMPLETED);
        assertThat(destination).endsWith(Status.COMPLETED);
        assertThat(hosts.source.runs()).isFalse();
        assertThat(hosts.destination.runs()).isTrue();
    }

    @Test
    @Tag("STR-END-4")
    void sourceThatIsNeverToldKeepsItsGuestStoppedAndSaysWhatToDo() throws Exception {
        begin(Duration.ofMillis(200), Duration.ofMillis(200));
        network().cut();
        hosts.source.assertEnded(Status.FAILED, "the connection broke before the destination reported that it runs");
        hosts.source.assertEnded(
                Status.FAILED,
                "if it runs, end the VMM here; if it does not, end the VMM there, and then resume the"
                        + " guest in the VMM");
        assertThat(hosts.source.runs()).isFalse();
        assertThat(hosts.destination.runs()).isTrue();
        assertThat(hosts.destination.guest.verify()).isEmpty();
        assertThat(hosts.destination.guest.failure()).isNull();
    }

    @Test
    void destinationThatEndsDoesNotWaitLongForASourceThatDoesNotAsk() throws Exception {
        begin(Duration.ofMillis(200), Duration.ofMinutes(10));
        network().cut();
        hosts.source.assertEnded(Status.FAILED, "never let both run");
        hosts.destination.migrations.close();
        assertThat(hosts.destination.runs()).isTrue();
    }

    @Test
    void destinationWhoseAddressIsWantedAgainMakesRoom() throws Exception {
        begin(Duration.ofMillis(200), Duration.ofMinutes(10));
        network().cut();
        hosts.source.assertEnded(Status.FAILED, "never let both run");
        MigrationAddress address =
                MigrationAddress.parse(hosts.destination.state().peer());
        EmbeddedOptions next = EmbeddedOptions.of(folder.resolve("next.ram"), 16 << 20, folder.resolve("next.qmp"))
                .thatIsIncoming();
        try (EmbeddedGuest guest = EmbeddedGuest.start(next)) {
            MigrationRequest request =
                    hosts.request().withAddress(address).withVmm(guest.options().qmp());
            assertThat(hosts.receive(request).address()).isEqualTo(address);
            assertThat(hosts.destination.state().status()).isEqualTo(Status.SETUP);
            hosts.destination.cancel();
            hosts.destination.awaitEnd();
        }
    }
}
