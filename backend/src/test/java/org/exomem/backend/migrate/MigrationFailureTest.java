package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.exomem.backend.TestVms;
import org.exomem.backend.state.StateDirectory;
import org.exomem.backend.vm.VirtualMachine;
import org.exomem.backend.vmm.QmpVmm;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.embedded.EmbeddedOptions;
import org.exomem.linux.SmallDisk;
import org.exomem.migration.precopy.PrecopyOptions;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.MigrationAddress;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.migration.stream.wire.tls.CertificateSecurity;
import org.exomem.migration.stream.wire.tls.Pki;
import org.exomem.migration.stream.wire.tls.PreSharedKey;
import org.exomem.migration.stream.wire.tls.PskSecurity;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Migrations that fail, each in its own way. Both ends report the reason, the guest continues at the source with its
 * balloon, and the next migration succeeds.
 */
@Timeout(value = 60, unit = TimeUnit.SECONDS)
class MigrationFailureTest {
    private static final long MIB = 1 << 20;

    @TempDir
    Path folder;

    private final Leftovers before = Leftovers.now();

    @AfterEach
    void nothingIsLeft() {
        before.assertSameNow();
    }

    @Test
    void destinationThatIsCancelledLeavesTheGuestWhereItIs() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            hosts.begin(hosts.request().withBandwidth(TwoHosts.SLOW));
            hosts.source.awaitTravelling(MIB);
            assertThat(hosts.destination.cancel()).isTrue();
            hosts.source.assertEnded(Status.FAILED, "the destination ended the migration: the destination was stopped");
            hosts.destination.assertEnded(Status.CANCELLED, "cancelled at this end");
            hosts.assertUnharmed();
            hosts.assertSecondSucceeds();
        }
    }

    @Test
    @Tag("MIG-POST-4")
    void vmWhoseGuestMayWaitHereForItsMemoryIsNotFree() throws Exception {
        StateDirectory state = new StateDirectory(folder.resolve("state"));
        Path file = state.arrival(TwoHosts.VM).path();
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            Files.writeString(file, "{\"version\":7}");
            hosts.destination.migrations.takeUp(state);
            assertThatThrownBy(() -> hosts.receive(hosts.request()))
                    .hasMessageContaining(
                            "may run here and wait for memory that another host has, according to " + file);
            assertThatThrownBy(() -> hosts.destination.migrations.reserve(TwoHosts.VM, "is being detached"))
                    .hasMessageContaining("end the VMM, and remove that file");
            hosts.destination.migrate(hosts.request());
            hosts.destination.assertEnded(
                    Status.FAILED, "may run here and wait for memory that another host has, according to " + file);
            assertThat(file).exists();
            Files.delete(file);
            hosts.migrate(hosts.request());
            hosts.assertMoved();
        }
    }

    @Test
    void sourceThatIsCancelledTellsTheDestination() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            hosts.begin(hosts.request().withBandwidth(TwoHosts.SLOW));
            hosts.source.awaitTravelling(MIB);
            assertThat(hosts.source.cancel()).isTrue();
            hosts.source.assertEnded(Status.CANCELLED, "cancelled at this end");
            hosts.destination.assertEnded(
                    Status.FAILED, "the source ended the migration: the migration was cancelled at the source");
            assertThat(hosts.source.cancel()).isFalse();
            hosts.assertUnharmed();
            hosts.assertSecondSucceeds();
        }
    }

    @Test
    void compressedMigrationThatIsCancelledSaysSo() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            StreamOptions compressed = StreamOptions.defaults()
                    .withFeatures(Set.of(StreamFeature.RESUME, StreamFeature.ZSTD), Set.of(StreamFeature.ZSTD));
            hosts.begin(hosts.request().withBandwidth(TwoHosts.SLOW).withStream(compressed));
            hosts.source.awaitTravelling(MIB);
            assertThat(hosts.source.cancel()).isTrue();
            hosts.source.assertEnded(Status.CANCELLED, "cancelled at this end");
            hosts.destination.assertEnded(
                    Status.FAILED, "the source ended the migration: the migration was cancelled at the source");
            hosts.assertUnharmed();
        }
    }

    @Test
    void connectionThatBreaksEndsBoth() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            StreamOptions stream = StreamOptions.defaults().withResumeWithin(Duration.ofMillis(200));
            MigrationRequest request = hosts.request()
                    .withAddress(TwoHosts.ANY_PORT)
                    .withStream(stream)
                    .withBandwidth(TwoHosts.SLOW);
            MigrationRequest there = hosts.receive(request);
            try (Relay relay = new Relay(there.address().resolve())) {
                hosts.source.migrate(there.withAddress(MigrationAddress.parse(relay.address())));
                hosts.source.awaitTravelling(MIB);
                relay.cut();
                hosts.source.assertEnded(Status.FAILED, "the destination ended the connection");
                hosts.destination.assertEnded(Status.FAILED, "and the source did not reconnect within 200 ms");
            }
            hosts.assertUnharmed();
            hosts.assertSecondSucceeds();
        }
    }

    @Test
    void guestOfAnotherSizeIsRefused() throws Exception {
        UnaryOperator<EmbeddedOptions> smaller = options -> EmbeddedOptions.of(options.ram(), 64 * MIB, options.qmp());
        try (TwoHosts hosts = TwoHosts.atWork(folder, smaller)) {
            hosts.begin(hosts.request());
            hosts.source.assertEnded(
                    Status.FAILED,
                    "the memory \"ram\" has 67108864 bytes at the destination, but 134217728 at the source");
            assertThat(hosts.destination.state().status()).isEqualTo(Status.SETUP);
            hosts.awaitEnd();
            hosts.destination.assertEnded(Status.CANCELLED, "cancelled at this end");
            hosts.assertUnharmed();
        }
    }

    @Test
    void memoryFileThatIsNotThereIsNamed() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            Path ram = hosts.destination.guest.options().ram();
            Path aside = ram.resolveSibling("aside");
            Files.move(ram, aside);
            hosts.begin(hosts.request());
            hosts.source.assertEnded(Status.FAILED, ram.toString());
            Files.move(aside, ram);
            hosts.assertUnharmed();
            hosts.source.migrate(hosts.request());
            hosts.awaitEnd();
            hosts.assertMoved();
        }
    }

    @Test
    void vmmThatRunsAGuestDoesNotGiveUpItsMemory() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            assertThatThrownBy(hosts.source.migrations.receive(TwoHosts.VM, hosts.request())::join)
                    .hasCauseInstanceOf(VirtualMachine.Refused.class)
                    .hasMessageContaining("does not wait for an incoming guest (status running");
            hosts.source.assertEnded(Status.FAILED, "does not wait for an incoming guest (status running");
            hosts.assertUnharmed();
            hosts.assertSecondSucceeds();
        }
    }

    @Test
    void whereNobodyListensNobodyGoes() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            hosts.source.migrate(hosts.request());
            hosts.source.assertEnded(Status.FAILED, "can't reach a destination at unix:" + folder.resolve("stream"));
            hosts.assertUnharmed();
            hosts.assertSecondSucceeds();
        }
    }

    @Tag("CTL-29")
    @Test
    void vmMigratesOnceAtATime() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            MigrationRequest request = hosts.request().withBandwidth(TwoHosts.SLOW);
            hosts.begin(request);
            hosts.source.awaitTravelling(MIB);
            for (Host host : List.of(hosts.source, hosts.destination)) {
                assertThatThrownBy(() -> host.migrations.migrate(TwoHosts.VM, request))
                        .isInstanceOf(VirtualMachine.Refused.class)
                        .hasMessage("VM \"web\" is already migrating; migrate-cancel ends the migration");
                assertThatThrownBy(() -> host.migrations.receive(TwoHosts.VM, request))
                        .isInstanceOf(VirtualMachine.Refused.class);
            }
            hosts.awaitEnd();
            hosts.assertMoved();
        }
    }

    @Test
    void vmmThatEndsIsNamedAtBothEnds() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            hosts.begin(hosts.request().withBandwidth(TwoHosts.SLOW));
            hosts.source.awaitTravelling(MIB);
            hosts.source.guest.close();
            hosts.source.assertEnded(
                    Status.FAILED, "the VMM on " + hosts.source.guest.options().qmp());
            hosts.destination.assertEnded(Status.FAILED, "the source ended the migration: the VMM on ");
            assertThat(hosts.destination.allocated()).isZero();
            assertThat(hosts.destination.guest.failure()).isNull();
        }
    }

    @Test
    @Tag("MIG-BESIDE-2")
    void stateThatTheDestinationsVmmRefusesBringsTheGuestBackWithItsBalloon() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder, options -> options.withProcessors(3))) {
            hosts.begin(hosts.request());
            hosts.source.assertEnded(Status.FAILED, "the state of the guest's devices could not be loaded");
            hosts.destination.assertEnded(Status.FAILED, "belongs to another machine");
            hosts.assertUnharmed();
        }
    }

    @Test
    @Tag("MIG-BESIDE-3")
    void vmWithPluggedMemoryIsNotMigrated() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder);
                GuestRam ram = GuestRam.withPciHole(64 * MIB, 64 * MIB);
                MemDriver driver = TestVms.memory(folder.resolve("a.m0"), ram)) {
            hosts.source.vm.resizeMemory(Optional.empty(), 4 * MIB).join();
            assertThat(driver.plug(4L << 30, 2)).isEqualTo(MemDriver.Answer.ACK);
            hosts.source.migrate(hosts.request());
            hosts.source.assertEnded(Status.FAILED, "has 4 MiB plugged in its memory device \"m0\"");
            assertThat(hosts.source.guest.verify()).isEmpty();
            assertThat(hosts.source.runs()).isTrue();
        }
    }

    @Test
    @Tag("MIG-BESIDE-3")
    void memoryThatIsPluggedWhileTheRestTravelsEndsTheMigration() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder);
                GuestRam ram = GuestRam.withPciHole(64 * MIB, 64 * MIB);
                MemDriver driver = TestVms.memory(folder.resolve("a.m0"), ram)) {
            hosts.begin(hosts.request().withBandwidth(TwoHosts.SLOW));
            hosts.source.awaitTravelling(MIB);
            hosts.source.vm.resizeMemory(Optional.empty(), 4 * MIB).join();
            assertThat(driver.plug(4L << 30, 2)).isEqualTo(MemDriver.Answer.ACK);
            hosts.source.assertEnded(Status.FAILED, "has 4 MiB plugged in its memory device \"m0\"");
            hosts.destination.assertEnded(Status.FAILED, "has 4 MiB plugged in its memory device \"m0\"");
            assertThat(hosts.source.guest.verify()).isEmpty();
            assertThat(hosts.source.runs()).isTrue();
        }
    }

    /** As when the file of a running guest is deleted, and the start of a VM creates it again. */
    private static void makeAnew(Path ram) throws IOException {
        long size = Files.size(ram);
        Files.createLink(ram.resolveSibling("kept.ram"), ram);
        Files.delete(ram);
        try (RandomAccessFile other = new RandomAccessFile(ram.toFile(), "rw")) {
            other.setLength(size);
        }
    }

    @Test
    void fileThatHasTheNameOfTheGuestsMemoryAndIsAnotherIsNotTakenForIt() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            makeAnew(hosts.source.guest.options().ram());
            hosts.source.migrate(hosts.receive(hosts.request()));
            hosts.source.assertEnded(Status.FAILED, "are not the files that the VMM shares");
            assertThat(hosts.source.runs()).isTrue();
            assertThat(hosts.source.guest.verify()).isEmpty();
        }
    }

    @Test
    void fileThatIsNotTheGuestsIsNotTakenForItsMemoryThoughNoDeviceShowsThat() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            try (QmpVmm vmm = QmpVmm.connect(hosts.source.guest.options().qmp())) {
                vmm.unplug(vmm.devices().getFirst(), () -> false);
            }
            makeAnew(hosts.source.guest.options().ram());
            hosts.source.migrate(hosts.receive(hosts.request()));
            hosts.source.assertEnded(Status.FAILED, "the memory \"ram\" that the VMM on ");
            assertThat(hosts.source.runs()).isTrue();
            assertThat(hosts.source.guest.verify()).isEmpty();
        }
    }

    @Test
    void fileThatTheWaitingVmmHasNotMappedIsNotFilled() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            Path ram = hosts.destination.guest.options().ram();
            makeAnew(ram);
            hosts.begin(hosts.request());
            hosts.source.assertEnded(
                    Status.FAILED,
                    "has mapped is not " + ram
                            + " (the file may have been created again under the same name): restart the VMM");
            assertThat(hosts.destination.state().status()).isEqualTo(Status.SETUP);
            Files.move(ram.resolveSibling("kept.ram"), ram, StandardCopyOption.REPLACE_EXISTING);
            hosts.assertUnharmed();
            hosts.source.migrate(hosts.request());
            hosts.awaitEnd();
            hosts.assertMoved();
        }
    }

    @Test
    void pausedGuestWithADeviceIsNotMigrated() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            hosts.source.guest.stop();
            hosts.source.migrate(hosts.request());
            hosts.source.assertEnded(Status.FAILED, "can't be unplugged from a paused guest");
            assertThat(hosts.source.runs()).isFalse();
            hosts.source.guest.cont();
            hosts.assertUnharmed();
        }
    }

    @Test
    @Tag("MIG-BESIDE-4")
    void guestThatStoodStillArrivesSo() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            try (QmpVmm vmm = QmpVmm.connect(hosts.source.guest.options().qmp())) {
                vmm.unplug(vmm.devices().getFirst(), () -> false);
                vmm.pause();
            }
            hosts.begin(hosts.request().withBandwidth(TwoHosts.SLOW));
            hosts.source.awaitTravelling(MIB);
            hosts.destination.cancel();
            hosts.source.assertEnded(Status.FAILED, "the destination was stopped");
            assertThat(hosts.source.runs()).isFalse();
            hosts.awaitEnd();
            hosts.migrate(hosts.request());
            hosts.assertMoved();
            assertThat(hosts.destination.runs()).isFalse();
            hosts.destination.guest.cont();
            assertThat(hosts.destination.guest.verify()).isEmpty();
        }
    }

    @Test
    void guestThatWritesFasterThanItTravelsIsSlowedDownWhereThatWasAskedFor() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            hosts.source.guest.busy(1 << 20, 0, 0, false);
            hosts.migrate(
                    hosts.request(PrecopyOptions.DEFAULT.withAutoConverge(true).withMaxRounds(8))
                            .withBandwidth(2 * TwoHosts.SLOW));
            hosts.assertMoved();
            assertThat(hosts.source.state().report().orElseThrow().throttle()).isPositive();
        }
    }

    @Test
    void certificateOfAnotherAuthorityIsNotTrusted() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            Path here = Pki.in(folder.resolve("pki-a")).addHost("127.0.0.1");
            Path there = Pki.in(folder.resolve("pki-b")).addHost("127.0.0.1");
            assertNoTrust(hosts, CertificateSecurity.of(here), CertificateSecurity.of(there), "can't be trusted");
        }
    }

    @Test
    void anotherPreSharedKeyIsRefused() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            byte[] other = new byte[32];
            other[31] = 1;
            assertNoTrust(
                    hosts,
                    new PskSecurity(new PreSharedKey("k", new byte[32])),
                    new PskSecurity(new PreSharedKey("k", other)),
                    "rejected the pre-shared key");
        }
    }

    /** Also checks that the destination continues to wait for a source that it can trust. */
    private static void assertNoTrust(TwoHosts hosts, StreamSecurity here, StreamSecurity there, String why)
            throws IOException {
        MigrationRequest request =
                hosts.receive(hosts.request().withAddress(TwoHosts.ANY_PORT).withSecurity(there));
        hosts.source.migrate(request.withSecurity(here));
        hosts.source.assertEnded(Status.FAILED, why);
        assertThat(hosts.destination.state().status()).isEqualTo(Status.SETUP);
        hosts.assertUnharmed();
        if (here instanceof PskSecurity) {
            hosts.source.migrate(request);
            hosts.awaitEnd();
            hosts.assertMoved();
        } else {
            hosts.awaitEnd();
            hosts.assertSecondSucceeds();
        }
    }

    @Test
    void vmWithoutAVmmIsNotMigrated() throws Exception {
        try (TwoHosts hosts = TwoHosts.atWork(folder)) {
            hosts.source.migrate(hosts.request().withVmm(folder.resolve("nobody.qmp")));
            hosts.source.assertEnded(Status.FAILED, "can't use QMP with the VMM on " + folder.resolve("nobody.qmp"));
            hosts.assertUnharmed();
        }
    }

    @Test
    void destinationWithoutEnoughMemoryLeavesTheGuestWhereItIs() throws Exception {
        Path small = Files.createDirectory(folder.resolve("small"));
        try (SmallDisk disk = SmallDisk.at(small, 16 * MIB);
                TwoHosts hosts = TwoHosts.atWork(
                        folder, options -> EmbeddedOptions.of(small.resolve("b.ram"), options.size(), options.qmp()))) {
            hosts.begin(hosts.request());
            hosts.source.assertEnded(Status.FAILED, "the destination ended the migration: the destination can't ");
            hosts.destination.assertEnded(Status.FAILED, "No space left on device");
            hosts.assertUnharmed();
            disk.resize(256 * MIB);
            hosts.assertSecondSucceeds();
        }
    }
}
