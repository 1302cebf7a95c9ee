package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.exomem.backend.SmallDisk;
import org.exomem.backend.TestVms;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vm.VmState;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.conformance.embedded.EmbeddedOptions;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.migration.precopy.PrecopyOptions;
import org.exomem.migration.stream.MigrationAddress;
import org.exomem.migration.stream.StreamFeature;
import org.exomem.migration.stream.StreamOptions;
import org.exomem.migration.stream.StreamSecurity;
import org.exomem.migration.tls.CertificateSecurity;
import org.exomem.migration.tls.Pki;
import org.exomem.migration.tls.PreSharedKey;
import org.exomem.migration.tls.PskSecurity;
import org.exomem.vhostuser.linux.SharedFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Migrations that fail, each in its own way: both ends say why, the guest runs on where it was, with its balloon, and the
 * next migration succeeds.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class MigrationFailureTest {
    private static final long MIB = 1 << 20;
    private static final long MEMORY = 128 * MIB;
    private static final long HELD = 40 * MIB;
    /** Time enough to do something while memory travels. */
    private static final long SLOW = 20 * MIB;

    private static final UnaryOperator<EmbeddedOptions> LOGGED = options ->
            options.withLog(options.ram().resolveSibling(options.ram().getFileName() + ".log"));
    private static final MigrationAddress ANY_PORT = MigrationAddress.parse("127.0.0.1:0");

    @TempDir
    Path folder;

    private final Left before = Left.now();

    @AfterEach
    void nothingIsLeft() {
        before.assertSameNow();
    }

    private TwoHosts hosts() throws Exception {
        return hosts(UnaryOperator.identity());
    }

    private TwoHosts hosts(UnaryOperator<EmbeddedOptions> changesThere) throws Exception {
        TwoHosts hosts = new TwoHosts(folder, MEMORY, LOGGED, options -> changesThere.apply(LOGGED.apply(options)));
        hosts.source.guest.work(HELD, 0);
        hosts.source.guest.busy(1000, 100, 1000, false);
        return hosts;
    }

    private static MigrationWish slowly(TwoHosts hosts) {
        return with(hosts.wish(PrecopyOptions.DEFAULT), SLOW);
    }

    private static MigrationWish with(MigrationWish wish, long bandwidth) {
        return new MigrationWish(
                wish.address(), wish.vmmQmp(), wish.security(), wish.stream(), bandwidth, wish.hints(), wish.precopy());
    }

    private static MigrationWish with(MigrationWish wish, MigrationAddress address, StreamSecurity security) {
        return new MigrationWish(
                address, wish.vmmQmp(), security, wish.stream(), wish.bandwidth(), wish.hints(), wish.precopy());
    }

    private static void awaitTravelling(TwoHosts hosts) {
        await().until(() -> hosts.source.state().sent() > MIB
                || hosts.source.state().status().isOver());
        assertThat(hosts.source.state().status()).isEqualTo(Status.ACTIVE);
    }

    private static void assertEnded(TwoHosts.Host host, Status status, String why) {
        MigrationState state = host.awaitEnd();
        assertThat(state.error()).hasValueSatisfying(error -> assertThat(error).contains(why));
        assertThat(state.status()).isEqualTo(status);
    }

    private static void assertUnharmed(TwoHosts hosts) throws IOException {
        assertRunsOn(hosts);
        assertThat(allocated(hosts.destination)).isZero();
    }

    private static void assertRunsOn(TwoHosts hosts) {
        assertThat(hosts.source.guest.verify()).isEmpty();
        assertThat(hosts.source.guest.failure()).isNull();
        await().until(() -> balloon(hosts).connected());
        hosts.source.vm.resize(MEMORY - 32 * MIB).join();
        await("the balloon to work").until(() -> balloon(hosts).actual() == MEMORY - 32 * MIB);
        hosts.source.vm.resize(MEMORY).join();
        await("the balloon to work").until(() -> balloon(hosts).actual() == MEMORY);
    }

    private static VmState.Balloon balloon(TwoHosts hosts) {
        return hosts.source.vm.state().join().balloon().orElseThrow();
    }

    private static long allocated(TwoHosts.Host host) throws IOException {
        try (SharedFile ram = SharedFile.open(host.guest.options().ram())) {
            return ram.allocatedBytes();
        }
    }

    private static void assertSecondSucceeds(TwoHosts hosts) {
        hosts.migrate(hosts.wish(PrecopyOptions.DEFAULT));
        assertMoved(hosts);
    }

    private static void assertMoved(TwoHosts hosts) {
        assertThat(hosts.source.state().error()).isEmpty();
        assertThat(hosts.source.state().status()).isEqualTo(Status.COMPLETED);
        assertThat(hosts.destination.state().error()).isEmpty();
        assertThat(hosts.destination.state().status()).isEqualTo(Status.COMPLETED);
        assertThat(hosts.destination.guest.verify()).isEmpty();
        assertThat(hosts.destination.guest.failure()).isNull();
    }

    @Test
    void destinationThatIsCancelledLeavesTheGuestWhereItIs() throws Exception {
        try (TwoHosts hosts = hosts()) {
            hosts.begin(slowly(hosts));
            awaitTravelling(hosts);
            assertThat(hosts.destination.migrations.cancel(TwoHosts.VM)).isTrue();
            assertEnded(hosts.source, Status.FAILED, "the destination gave up: the destination was stopped");
            assertEnded(hosts.destination, Status.CANCELLED, "it was cancelled at this end");
            assertUnharmed(hosts);
            assertSecondSucceeds(hosts);
        }
    }

    @Test
    void sourceThatIsCancelledTellsTheDestination() throws Exception {
        try (TwoHosts hosts = hosts()) {
            hosts.begin(slowly(hosts));
            awaitTravelling(hosts);
            assertThat(hosts.source.migrations.cancel(TwoHosts.VM)).isTrue();
            assertEnded(hosts.source, Status.CANCELLED, "it was cancelled at this end");
            assertEnded(
                    hosts.destination, Status.FAILED, "the source gave up: the migration was cancelled at the source");
            assertThat(hosts.source.migrations.cancel(TwoHosts.VM)).isFalse();
            assertUnharmed(hosts);
            assertSecondSucceeds(hosts);
        }
    }

    @Test
    void compressedMigrationThatIsCancelledSaysSo() throws Exception {
        try (TwoHosts hosts = hosts()) {
            MigrationWish slowly = slowly(hosts);
            StreamOptions compressed = slowly.stream()
                    .withFeatures(Set.of(StreamFeature.RESUME, StreamFeature.ZSTD), Set.of(StreamFeature.ZSTD));
            hosts.begin(new MigrationWish(
                    slowly.address(),
                    slowly.vmmQmp(),
                    slowly.security(),
                    compressed,
                    slowly.bandwidth(),
                    slowly.hints(),
                    slowly.precopy()));
            awaitTravelling(hosts);
            assertThat(hosts.source.migrations.cancel(TwoHosts.VM)).isTrue();
            assertEnded(hosts.source, Status.CANCELLED, "it was cancelled at this end");
            assertEnded(
                    hosts.destination, Status.FAILED, "the source gave up: the migration was cancelled at the source");
            assertUnharmed(hosts);
        }
    }

    @Test
    void connectionThatBreaksEndsBoth() throws Exception {
        try (TwoHosts hosts = hosts()) {
            MigrationWish wish = hosts.wish(PrecopyOptions.DEFAULT);
            StreamOptions stream = StreamOptions.defaults().withResumeWithin(Duration.ofMillis(200));
            wish = new MigrationWish(
                    ANY_PORT, wish.vmmQmp(), wish.security(), stream, SLOW, wish.hints(), wish.precopy());
            MigrationWish there = hosts.receive(wish);
            try (Relay relay = new Relay(there.address().resolve())) {
                hosts.source.migrations.migrate(
                        TwoHosts.VM, with(there, MigrationAddress.parse(relay.address()), there.security()));
                awaitTravelling(hosts);
                relay.cut();
                assertEnded(hosts.source, Status.FAILED, "the destination ended the connection");
                assertEnded(hosts.destination, Status.FAILED, "and the source did not come back within 200 ms");
            }
            assertUnharmed(hosts);
            assertSecondSucceeds(hosts);
        }
    }

    @Test
    void guestOfAnotherSizeIsRefused() throws Exception {
        UnaryOperator<EmbeddedOptions> smaller = options -> EmbeddedOptions.of(options.ram(), 64 * MIB, options.qmp());
        try (TwoHosts hosts = hosts(smaller)) {
            hosts.begin(hosts.wish(PrecopyOptions.DEFAULT));
            assertEnded(
                    hosts.source,
                    Status.FAILED,
                    "the memory \"ram\" has 67108864 bytes at the destination, and 134217728 at the source");
            assertThat(hosts.destination.state().status()).isEqualTo(Status.SETUP);
            hosts.awaitEnd();
            assertEnded(hosts.destination, Status.CANCELLED, "it was cancelled at this end");
            assertUnharmed(hosts);
        }
    }

    @Test
    void memoryFileThatIsNotThereIsNamed() throws Exception {
        try (TwoHosts hosts = hosts()) {
            Path ram = hosts.destination.guest.options().ram();
            Path aside = ram.resolveSibling("aside");
            Files.move(ram, aside);
            hosts.begin(hosts.wish(PrecopyOptions.DEFAULT));
            assertEnded(hosts.source, Status.FAILED, ram.toString());
            Files.move(aside, ram);
            assertUnharmed(hosts);
            hosts.source.migrations.migrate(TwoHosts.VM, hosts.wish(PrecopyOptions.DEFAULT));
            hosts.awaitEnd();
            assertMoved(hosts);
        }
    }

    @Test
    void vmmThatRunsAGuestDoesNotGiveUpItsMemory() throws Exception {
        try (TwoHosts hosts = hosts()) {
            assertThatThrownBy(hosts.source.migrations.receive(TwoHosts.VM, hosts.wish(PrecopyOptions.DEFAULT))::join)
                    .hasCauseInstanceOf(VirtualMachine.Refused.class)
                    .hasMessageContaining("does not wait for a guest, it is running");
            assertEnded(hosts.source, Status.FAILED, "does not wait for a guest, it is running");
            assertUnharmed(hosts);
            assertSecondSucceeds(hosts);
        }
    }

    @Test
    void whereNobodyListensNobodyGoes() throws Exception {
        try (TwoHosts hosts = hosts()) {
            hosts.source.migrations.migrate(TwoHosts.VM, hosts.wish(PrecopyOptions.DEFAULT));
            assertEnded(hosts.source, Status.FAILED, "can't reach a destination at unix:" + folder.resolve("stream"));
            assertUnharmed(hosts);
            assertSecondSucceeds(hosts);
        }
    }

    @Test
    void vmMigratesOnceAtATime() throws Exception {
        try (TwoHosts hosts = hosts()) {
            MigrationWish wish = slowly(hosts);
            hosts.begin(wish);
            awaitTravelling(hosts);
            for (TwoHosts.Host host : List.of(hosts.source, hosts.destination)) {
                assertThatThrownBy(() -> host.migrations.migrate(TwoHosts.VM, wish))
                        .isInstanceOf(VirtualMachine.Refused.class)
                        .hasMessage("VM \"web\" is migrating already; migrate-cancel ends that");
                assertThatThrownBy(() -> host.migrations.receive(TwoHosts.VM, wish))
                        .isInstanceOf(VirtualMachine.Refused.class);
            }
            hosts.awaitEnd();
            assertMoved(hosts);
        }
    }

    @Test
    void vmmThatEndsIsNamedAtBothEnds() throws Exception {
        try (TwoHosts hosts = hosts()) {
            hosts.begin(slowly(hosts));
            awaitTravelling(hosts);
            hosts.source.guest.close();
            assertEnded(
                    hosts.source,
                    Status.FAILED,
                    "the VMM on " + hosts.source.guest.options().qmp());
            assertEnded(hosts.destination, Status.FAILED, "the source gave up: the VMM on ");
            assertThat(allocated(hosts.destination)).isZero();
            assertThat(hosts.destination.guest.failure()).isNull();
        }
    }

    @Test
    void stateThatTheDestinationsVmmRefusesBringsTheGuestBackWithItsBalloon() throws Exception {
        try (TwoHosts hosts = hosts(options -> options.withProcessors(3))) {
            hosts.begin(hosts.wish(PrecopyOptions.DEFAULT));
            assertEnded(hosts.source, Status.FAILED, "the state of the guest's devices could not be loaded");
            assertEnded(hosts.destination, Status.FAILED, "is of another machine");
            assertUnharmed(hosts);
        }
    }

    private static MigrationWish through(QmpRelay relay, MigrationWish wish) {
        return new MigrationWish(
                wish.address(),
                Optional.of(relay.path()),
                wish.security(),
                wish.stream(),
                wish.bandwidth(),
                wish.hints(),
                wish.precopy());
    }

    private QmpRelay relay(TwoHosts.Host host) throws IOException {
        return new QmpRelay(folder.resolve("relay.qmp"), host.guest.options().qmp());
    }

    /** With the destination's VMM behind a relay. */
    private static void migrate(TwoHosts hosts, QmpRelay there) {
        MigrationWish usual = hosts.wish(PrecopyOptions.DEFAULT);
        MigrationWish wish = new MigrationWish(
                usual.address(),
                usual.vmmQmp(),
                usual.security(),
                StreamOptions.defaults().withResumeWithin(Duration.ofMillis(500)),
                0,
                true,
                usual.precopy());
        hosts.receive(through(there, wish));
        hosts.source.migrations.migrate(TwoHosts.VM, wish);
    }

    @Test
    void guestThatTheDestinationsVmmRefusesToStartRunsOnHere() throws Exception {
        try (TwoHosts hosts = hosts();
                QmpRelay relay = relay(hosts.destination)) {
            relay.refused.add("cont");
            migrate(hosts, relay);
            assertEnded(hosts.source, Status.FAILED, "the destination can't start the guest");
            assertEnded(hosts.destination, Status.FAILED, "cont: not today");
            assertUnharmed(hosts);
        }
    }

    @Test
    void guestThatMayHaveStartedThereDoesNotGoOnHere() throws Exception {
        try (TwoHosts hosts = hosts();
                QmpRelay relay = relay(hosts.destination)) {
            relay.cut.add("cont");
            relay.once = true;
            migrate(hosts, relay);
            assertEnded(hosts.source, Status.FAILED, "never let both run");
            assertEnded(hosts.destination, Status.FAILED, "the VMM was told to start the guest, and may have");
            assertThat(runs(hosts.source)).isFalse();
            assertThat(runs(hosts.destination)).isTrue();
            assertThat(hosts.destination.guest.verify()).isEmpty();
            assertThat(hosts.destination.guest.failure()).isNull();
        }
    }

    @Test
    void guestThatStartedThoughItsVmmHungUpIsFoundToRun() throws Exception {
        try (TwoHosts hosts = hosts();
                QmpRelay relay = relay(hosts.destination)) {
            relay.cut.add("cont");
            migrate(hosts, relay);
            hosts.awaitEnd();
            assertMoved(hosts);
            assertThat(runs(hosts.source)).isFalse();
        }
    }

    private static boolean runs(TwoHosts.Host host) throws IOException {
        try (QmpVmm vmm = QmpVmm.connect(host.guest.options().qmp())) {
            return vmm.isRunning();
        }
    }

    @Test
    void vmWithPluggedMemoryIsNotMigrated() throws Exception {
        try (TwoHosts hosts = hosts();
                GuestRam ram = GuestRam.withPciHole(64 * MIB, 64 * MIB);
                MemDriver driver = TestVms.memory(folder.resolve("a.m0"), ram)) {
            hosts.source.vm.resizeMemory(Optional.empty(), 4 * MIB).join();
            assertThat(driver.plug(4L << 30, 2)).isEqualTo(MemDriver.Answer.ACK);
            hosts.source.migrations.migrate(TwoHosts.VM, hosts.wish(PrecopyOptions.DEFAULT));
            assertEnded(hosts.source, Status.FAILED, "has 4 MiB plugged in its memory device \"m0\"");
            assertThat(hosts.source.guest.verify()).isEmpty();
            assertThat(runs(hosts.source)).isTrue();
        }
    }

    @Test
    void memoryThatIsPluggedWhileTheRestTravelsEndsTheMigration() throws Exception {
        try (TwoHosts hosts = hosts();
                GuestRam ram = GuestRam.withPciHole(64 * MIB, 64 * MIB);
                MemDriver driver = TestVms.memory(folder.resolve("a.m0"), ram)) {
            hosts.begin(slowly(hosts));
            awaitTravelling(hosts);
            hosts.source.vm.resizeMemory(Optional.empty(), 4 * MIB).join();
            assertThat(driver.plug(4L << 30, 2)).isEqualTo(MemDriver.Answer.ACK);
            assertEnded(hosts.source, Status.FAILED, "has 4 MiB plugged in its memory device \"m0\"");
            assertEnded(hosts.destination, Status.FAILED, "has 4 MiB plugged in its memory device \"m0\"");
            assertThat(hosts.source.guest.verify()).isEmpty();
            assertThat(runs(hosts.source)).isTrue();
        }
    }

    @Test
    void fileThatHasTheNameOfTheGuestsMemoryAndIsAnotherIsNotTakenForIt() throws Exception {
        try (TwoHosts hosts = hosts()) {
            Path ram = folder.resolve("a.ram");
            long size = Files.size(ram);
            Files.move(ram, folder.resolve("moved.ram"));
            try (RandomAccessFile other = new RandomAccessFile(ram.toFile(), "rw")) {
                other.setLength(size);
            }
            hosts.source.migrations.migrate(TwoHosts.VM, hosts.receive(hosts.wish(PrecopyOptions.DEFAULT)));
            assertEnded(hosts.source, Status.FAILED, "are not what the VMM shares");
            assertThat(runs(hosts.source)).isTrue();
            assertThat(hosts.source.guest.verify()).isEmpty();
        }
    }

    /** Begins, with the source's VMM behind a relay. */
    private static void begin(TwoHosts hosts, QmpRelay here, MigrationWish wish) {
        hosts.source.migrations.migrate(TwoHosts.VM, through(here, hosts.receive(wish)));
    }

    @Test
    void stateThatIsStillSavedIsGivenUpBeforeTheGuestGoesOn() throws Exception {
        try (TwoHosts hosts = hosts();
                QmpRelay relay = relay(hosts.source)) {
            relay.saves = true;
            begin(hosts, relay, hosts.wish(PrecopyOptions.DEFAULT));
            await().until(() -> relay.commands.contains("migrate"));
            assertThat(hosts.source.migrations.cancel(TwoHosts.VM)).isTrue();
            assertEnded(hosts.source, Status.CANCELLED, "it was cancelled at this end");
            hosts.awaitEnd();
            assertThat(relay.commands).containsSubsequence("migrate_cancel", "cont");
            assertThat(runs(hosts.source)).isTrue();
            assertUnharmed(hosts);
        }
    }

    @Test
    void closingWaitsUntilAPausedGuestGoesOn() throws Exception {
        try (TwoHosts hosts = hosts();
                QmpRelay relay = relay(hosts.source)) {
            relay.saves = true;
            begin(hosts, relay, hosts.wish(PrecopyOptions.DEFAULT));
            await().until(() -> relay.commands.contains("migrate"));
            hosts.source.migrations.close();
            assertThat(runs(hosts.source)).isTrue();
            assertThat(hosts.source.state().status()).isEqualTo(Status.CANCELLED);
        }
    }

    @Test
    void deviceThatCannotBeTakenOutStaysAndTheGuestHasItsHintedMemoryBack() throws Exception {
        try (TwoHosts hosts = hosts();
                QmpRelay relay = relay(hosts.source)) {
            relay.refused.add("device_del");
            begin(hosts, relay, hosts.wish(PrecopyOptions.DEFAULT));
            assertEnded(hosts.source, Status.FAILED, "device_del: not today");
            hosts.awaitEnd();
            assertThat(relay.commands).doesNotContain("device_add");
            hosts.source.guest.work(70 * MIB, 70 * MIB);
            assertUnharmed(hosts);
        }
    }

    @Test
    void socketThatIsBusyForAMomentIsRemovedLater() throws Exception {
        try (TwoHosts hosts = hosts();
                QmpRelay relay = relay(hosts.source)) {
            relay.refused.add("chardev-remove");
            begin(hosts, relay, hosts.wish(PrecopyOptions.DEFAULT));
            hosts.awaitEnd();
            assertMoved(hosts);
            assertThat(relay.commands).containsSubsequence("chardev-remove", "chardev-remove");
        }
    }

    @Test
    void deletionThatNobodyHearsOfIsSeen() throws Exception {
        try (TwoHosts hosts = hosts();
                QmpRelay relay = relay(hosts.source)) {
            relay.withheld.add("DEVICE_DELETED");
            begin(hosts, relay, hosts.wish(PrecopyOptions.DEFAULT));
            hosts.awaitEnd();
            assertMoved(hosts);
        }
    }

    @Test
    void pausedGuestWithADeviceIsNotMigrated() throws Exception {
        try (TwoHosts hosts = hosts()) {
            hosts.source.guest.stop();
            hosts.source.migrations.migrate(TwoHosts.VM, hosts.wish(PrecopyOptions.DEFAULT));
            assertEnded(hosts.source, Status.FAILED, "is paused, and lets no device go");
            assertThat(runs(hosts.source)).isFalse();
            hosts.source.guest.cont();
            assertUnharmed(hosts);
        }
    }

    @Test
    void guestThatStoodStillArrivesSo() throws Exception {
        try (TwoHosts hosts = hosts()) {
            try (QmpVmm vmm = QmpVmm.connect(hosts.source.guest.options().qmp())) {
                vmm.unplug(vmm.devices().getFirst(), () -> false);
                vmm.pause();
            }
            hosts.begin(with(hosts.wish(PrecopyOptions.DEFAULT), SLOW));
            awaitTravelling(hosts);
            hosts.destination.migrations.cancel(TwoHosts.VM);
            assertEnded(hosts.source, Status.FAILED, "the destination was stopped");
            assertThat(runs(hosts.source)).isFalse();
            hosts.awaitEnd();
            hosts.migrate(hosts.wish(PrecopyOptions.DEFAULT));
            assertMoved(hosts);
            assertThat(runs(hosts.destination)).isFalse();
            hosts.destination.guest.cont();
            assertThat(hosts.destination.guest.verify()).isEmpty();
        }
    }

    @Test
    void guestThatWritesFasterThanItTravelsIsSlowedDownWhereThatWasAskedFor() throws Exception {
        try (TwoHosts hosts = hosts()) {
            hosts.source.guest.busy(1 << 20, 0, 0, false);
            hosts.migrate(with(
                    hosts.wish(PrecopyOptions.DEFAULT.withAutoConverge(true).withMaxRounds(8)), 2 * SLOW));
            assertMoved(hosts);
            assertThat(hosts.source.state().report().orElseThrow().throttle()).isPositive();
        }
    }

    @Test
    void vmmThatCannotSlowItsGuestDownIsNotAskedTo() throws Exception {
        try (TwoHosts hosts = hosts();
                QmpRelay relay = relay(hosts.source)) {
            relay.hidden.add("x-throttle");
            hosts.source.migrations.migrate(
                    TwoHosts.VM, through(relay, hosts.wish(PrecopyOptions.DEFAULT.withAutoConverge(true))));
            assertEnded(hosts.source, Status.FAILED, "migrate it without auto-converge");
            assertThat(runs(hosts.source)).isTrue();
        }
    }

    @Test
    void certificateOfAnotherAuthorityIsNotTrusted() throws Exception {
        try (TwoHosts hosts = hosts()) {
            Path here = Pki.in(folder.resolve("pki-a")).addHost("127.0.0.1");
            Path there = Pki.in(folder.resolve("pki-b")).addHost("127.0.0.1");
            assertNoTrust(hosts, CertificateSecurity.of(here), CertificateSecurity.of(there), "not to be trusted");
        }
    }

    @Test
    void anotherPreSharedKeyIsRefused() throws Exception {
        try (TwoHosts hosts = hosts()) {
            byte[] other = new byte[32];
            other[31] = 1;
            assertNoTrust(
                    hosts,
                    new PskSecurity(new PreSharedKey("k", new byte[32])),
                    new PskSecurity(new PreSharedKey("k", other)),
                    "refused the pre-shared key");
        }
    }

    /** And the destination waits on for a source that it can trust. */
    private static void assertNoTrust(TwoHosts hosts, StreamSecurity here, StreamSecurity there, String why)
            throws IOException {
        MigrationWish wish = hosts.receive(with(hosts.wish(PrecopyOptions.DEFAULT), ANY_PORT, there));
        hosts.source.migrations.migrate(TwoHosts.VM, with(wish, wish.address(), here));
        assertEnded(hosts.source, Status.FAILED, why);
        assertThat(hosts.destination.state().status()).isEqualTo(Status.SETUP);
        assertUnharmed(hosts);
        if (here instanceof PskSecurity) {
            hosts.source.migrations.migrate(TwoHosts.VM, wish);
            hosts.awaitEnd();
            assertMoved(hosts);
        } else {
            hosts.awaitEnd();
            assertSecondSucceeds(hosts);
        }
    }

    @Test
    void vmWithoutAVmmIsNotMigrated() throws Exception {
        try (TwoHosts hosts = hosts()) {
            MigrationWish wish = hosts.wish(PrecopyOptions.DEFAULT);
            MigrationWish astray = new MigrationWish(
                    wish.address(),
                    Optional.of(folder.resolve("nobody.qmp")),
                    wish.security(),
                    wish.stream(),
                    0,
                    true,
                    wish.precopy());
            hosts.source.migrations.migrate(TwoHosts.VM, astray);
            assertEnded(hosts.source, Status.FAILED, "can't speak QMP to the VMM on " + folder.resolve("nobody.qmp"));
            assertUnharmed(hosts);
        }
    }

    @Test
    void destinationWithoutEnoughMemoryLeavesTheGuestWhereItIs() throws Exception {
        Path small = Files.createDirectory(folder.resolve("small"));
        try (SmallDisk disk = SmallDisk.at(small, 16 * MIB);
                TwoHosts hosts =
                        hosts(options -> EmbeddedOptions.of(small.resolve("b.ram"), options.size(), options.qmp()))) {
            hosts.begin(hosts.wish(PrecopyOptions.DEFAULT));
            assertEnded(hosts.source, Status.FAILED, "the destination gave up: the destination can't ");
            assertEnded(hosts.destination, Status.FAILED, "No space left on device");
            assertUnharmed(hosts);
            disk.resize(256 * MIB);
            assertSecondSucceeds(hosts);
        }
    }
}
