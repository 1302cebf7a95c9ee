package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.exomem.migration.precopy.PrecopyOptions;
import org.exomem.migration.stream.format.StreamOptions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Migrations whose VMMs refuse commands, stop answering or hang up. At the end there is one guest, and it runs. */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class VmmFailureTest {
    private static final long MIB = 1 << 20;

    @TempDir
    Path folder;

    private final Leftovers before = Leftovers.now();

    @AfterEach
    void nothingIsLeft() {
        before.assertSameNow();
    }

    private QmpRelay relay(Host host) throws IOException {
        return new QmpRelay(folder.resolve("relay.qmp"), host.guest.options().qmp());
    }

    /** With the destination's VMM behind a relay. */
    private static void migrate(TwoHosts hosts, QmpRelay there) {
        MigrationRequest request =
                hosts.request().withStream(StreamOptions.defaults().withResumeWithin(Duration.ofMillis(500)));
        hosts.receive(request.withVmm(there.path()));
        hosts.source.migrate(request);
    }

    /** Begins, with the source's VMM behind a relay. */
    private static void begin(TwoHosts hosts, QmpRelay here, MigrationRequest request) {
        hosts.source.migrate(hosts.receive(request).withVmm(here.path()));
    }

    @Test
    void guestThatTheDestinationsVmmRefusesToStartRunsOnHere() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder);
                QmpRelay relay = relay(hosts.destination)) {
            relay.refused.add("cont");
            migrate(hosts, relay);
            hosts.source.assertEnded(Status.FAILED, "the destination can't start the guest");
            hosts.destination.assertEnded(Status.FAILED, "cont: not today");
            hosts.assertUnharmed();
        }
    }

    @Test
    @Tag("STR-END-3")
    @Tag("STR-END-4")
    void guestThatMayHaveStartedThereDoesNotGoOnHere() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder);
                QmpRelay relay = relay(hosts.destination)) {
            relay.cut.add("cont");
            relay.once = true;
            migrate(hosts, relay);
            hosts.source.assertEnded(Status.FAILED, "never let both run");
            hosts.destination.assertEnded(
                    Status.FAILED, "exomem asked the VMM to start the guest, and it may have started");
            assertThat(hosts.source.runs()).isFalse();
            assertThat(hosts.destination.runs()).isTrue();
            assertThat(hosts.destination.guest.verify()).isEmpty();
            assertThat(hosts.destination.guest.failure()).isNull();
        }
    }

    @Test
    void guestThatStartedThoughItsVmmHungUpIsFoundToRunAndHasItsBalloon() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder);
                QmpRelay relay = relay(hosts.destination)) {
            relay.cut.add("cont");
            migrate(hosts, relay);
            hosts.awaitEnd();
            hosts.assertMoved();
            assertThat(hosts.source.runs()).isFalse();
            hosts.destination.assertRunsOn();
        }
    }

    @Test
    void stateThatIsStillSavedIsGivenUpBeforeTheGuestGoesOn() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder);
                QmpRelay relay = relay(hosts.source)) {
            relay.saves = true;
            begin(hosts, relay, hosts.request());
            await().until(() -> relay.commands.contains("migrate"));
            assertThat(hosts.source.cancel()).isTrue();
            hosts.source.assertEnded(Status.CANCELLED, "cancelled at this end");
            hosts.awaitEnd();
            assertThat(relay.commands).containsSubsequence("migrate_cancel", "cont");
            assertThat(hosts.source.runs()).isTrue();
            hosts.assertUnharmed();
        }
    }

    @Test
    void closingWaitsUntilAPausedGuestGoesOn() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder);
                QmpRelay relay = relay(hosts.source)) {
            relay.saves = true;
            begin(hosts, relay, hosts.request());
            await().until(() -> relay.commands.contains("migrate"));
            hosts.source.migrations.close();
            assertThat(hosts.source.runs()).isTrue();
            assertThat(hosts.source.state().status()).isEqualTo(Status.CANCELLED);
        }
    }

    @Test
    @Tag("MIG-HINT-6")
    @Tag("MIG-BESIDE-2")
    void deviceThatCannotBeTakenOutStaysAndTheGuestHasItsHintedMemoryBack() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder);
                QmpRelay relay = relay(hosts.source)) {
            relay.refused.add("device_del");
            begin(hosts, relay, hosts.request());
            hosts.source.assertEnded(Status.FAILED, "device_del: not today");
            hosts.awaitEnd();
            assertThat(relay.commands).doesNotContain("device_add");
            hosts.source.guest.work(70 * MIB, 70 * MIB);
            hosts.assertUnharmed();
        }
    }

    @Test
    void socketThatIsBusyForAMomentIsRemovedLater() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder);
                QmpRelay relay = relay(hosts.source)) {
            relay.refused.add("chardev-remove");
            begin(hosts, relay, hosts.request());
            hosts.awaitEnd();
            hosts.assertMoved();
            assertThat(relay.commands).containsSubsequence("chardev-remove", "chardev-remove");
        }
    }

    @Test
    void deletionThatNobodyHearsOfIsSeen() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder);
                QmpRelay relay = relay(hosts.source)) {
            relay.withheld.add("DEVICE_DELETED");
            begin(hosts, relay, hosts.request());
            hosts.awaitEnd();
            hosts.assertMoved();
        }
    }

    @Test
    void vmmThatCannotSlowItsGuestDownIsNotAskedTo() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder);
                QmpRelay relay = relay(hosts.source)) {
            relay.hidden.add("x-throttle");
            hosts.source.migrate(
                    hosts.request(PrecopyOptions.DEFAULT.withAutoConverge(true)).withVmm(relay.path()));
            hosts.source.assertEnded(Status.FAILED, "Migrate it without auto-converge");
            assertThat(hosts.source.runs()).isTrue();
        }
    }
}
