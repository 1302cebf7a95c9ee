package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.EnumSet;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.exomem.backend.config.HintsChoice;
import org.exomem.backend.config.WritesChoice;
import org.exomem.embedded.EmbeddedOptions;
import org.exomem.migration.Fate;
import org.exomem.migration.precopy.Report;
import org.exomem.migration.stream.format.StreamFeature;
import org.exomem.migration.stream.format.StreamOptions;
import org.exomem.migration.stream.wire.StreamSecurity;
import org.exomem.migration.stream.wire.tls.CertificateSecurity;
import org.exomem.migration.stream.wire.tls.Pki;
import org.exomem.migration.stream.wire.tls.PreSharedKey;
import org.exomem.migration.stream.wire.tls.PskSecurity;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A guest that verifies all of its memory moves from one exomem to another. */
@Timeout(value = 180, unit = TimeUnit.SECONDS)
class MigrationTest {
    private static final long MIB = 1 << 20;
    private static final long MEMORY = 256 * MIB;

    @TempDir
    Path folder;

    @Test
    @Tag("MIG-BESIDE-1")
    void guestMovesWithItsMemoryAndRunsOnThere() throws Exception {
        try (TwoHosts hosts = new TwoHosts(folder, MEMORY, TwoHosts::logged)) {
            hosts.source.guest.work(100 * MIB, 20 * MIB);
            hosts.source.guest.busy(2000, 500, 2000, false);
            hosts.migrate(hosts.request());
            hosts.assertMoved();
            Report report = hosts.source.state().report().orElseThrow();
            assertThat(report.pages(Fate.SENT)).isBetween(80 * MIB / 4096, 120 * MIB / 4096);
            assertThat(report.pages(Fate.HOLE)).isGreaterThan(100 * MIB / 4096);
        }
    }

    @Test
    @Tag("STR-MEM-4")
    void whatTheWaitingVmmHadInItsMemoryIsGone() throws Exception {
        try (TwoHosts hosts = new TwoHosts(folder, MEMORY, TwoHosts::logged)) {
            // The last page of the guest's memory, which it has never touched.
            long page = MEMORY - 4096;
            assertThat(page(folder.resolve("a.ram"), page)).containsOnly(0);
            try (RandomAccessFile ram =
                    new RandomAccessFile(folder.resolve("b.ram").toFile(), "rw")) {
                ram.seek(page);
                ram.write(new byte[] {1, 2, 3});
            }
            hosts.migrate(hosts.request());
            hosts.assertMoved();
            assertThat(page(folder.resolve("b.ram"), page)).containsOnly(0);
        }
    }

    private static byte[] page(Path file, long offset) throws IOException {
        byte[] page = new byte[4096];
        try (RandomAccessFile ram = new RandomAccessFile(file.toFile(), "r")) {
            ram.seek(offset);
            ram.readFully(page);
        }
        return page;
    }

    @Test
    @Tag("MIG-DIRTY-5")
    void guestMovesWhoseVmmTellsOfNoWrites() throws Exception {
        try (TwoHosts hosts = new TwoHosts(folder, MEMORY, options -> options)) {
            hosts.source.guest.work(100 * MIB, 20 * MIB);
            hosts.source.guest.busy(2000, 500, 2000, false);
            hosts.migrate(hosts.request());
            hosts.assertMoved();
            GuestWrites.Found writes = hosts.source.state().writes().orElseThrow();
            assertThat(writes.way()).isEqualTo(GuestWrites.Way.COMPARE);
            assertThat(writes.reason()).isPresent();
        }
    }

    @Test
    void freePagesThatTheGuestHintsDoNotTravel() throws Exception {
        try (TwoHosts hosts = new TwoHosts(folder, MEMORY, TwoHosts::logged)) {
            hosts.source.guest.work(220 * MIB, 200 * MIB);
            hosts.migrate(hosts.request());
            hosts.assertMoved();
            Report report = hosts.source.state().report().orElseThrow();
            assertThat(report.pages(Fate.HINTED)).isGreaterThan(100 * MIB / 4096);
            assertThat(report.pages(Fate.SENT)).isLessThan(120 * MIB / 4096);
        }
    }

    @Test
    @Tag("FPB-BIT-4")
    @Tag("FPB-BIT-1")
    void freePagesOfABitmapDoNotTravelAndNothingIsLostThatTheGuestTookAndWroteMeanwhile() throws Exception {
        try (TwoHosts hosts = new TwoHosts(
                folder, MEMORY, options -> TwoHosts.logged(options).withHints(EmbeddedOptions.Hints.BITMAP))) {
            hosts.source.guest.work(220 * MIB, 200 * MIB);
            hosts.source.guest.busy(5000, 1000, 2000, true);
            hosts.migrate(hosts.request().withHints(HintsChoice.BITMAP).withBandwidth(200 * MIB));
            hosts.assertMoved();
            Report report = hosts.source.state().report().orElseThrow();
            assertThat(report.pages(Fate.HINTED)).isGreaterThan(100 * MIB / 4096);
            assertThat(report.pages(Fate.SENT)).isLessThan(120 * MIB / 4096);
        }
    }

    @Test
    void aMigrationChoosesTheBitmapByItselfWhereTheDriverGivesOne() throws Exception {
        try (TwoHosts hosts = new TwoHosts(
                folder, MEMORY, options -> TwoHosts.logged(options).withHints(EmbeddedOptions.Hints.BITMAP))) {
            hosts.source.guest.work(220 * MIB, 200 * MIB);
            hosts.migrate(hosts.request());
            hosts.assertMoved();
            assertThat(hosts.source.vm.freePages().join().commandId())
                    .as("no hint session")
                    .isZero();
            assertThat(hosts.source.state().report().orElseThrow().pages(Fate.HINTED))
                    .isGreaterThan(190 * MIB / 4096);
        }
    }

    @Test
    @Tag("VMM-19")
    @Tag("MIG-WATCH-1")
    @Tag("MIG-WATCH-6")
    void guestMovesWhoseVmmHandsOverAUserfaultfd() throws Exception {
        try (TwoHosts hosts = new TwoHosts(folder, MEMORY, EmbeddedOptions::thatHandsOver)) {
            hosts.source.guest.work(220 * MIB, 200 * MIB);
            hosts.source.guest.busy(500, 100, 500, false);
            hosts.migrate(hosts.request().withWrites(WritesChoice.WATCH));
            hosts.assertMoved();
            assertThat(hosts.source.state().writes())
                    .contains(new GuestWrites.Found(GuestWrites.Way.WATCH, Optional.empty()));
        }
    }

    @Test
    @Tag("VMM-16")
    void vmmThatCannotBeWatchedIsComparedAndTheReasonIsTold() throws Exception {
        try (TwoHosts hosts = new TwoHosts(folder, MEMORY, options -> options)) {
            hosts.source.guest.work(40 * MIB, 20 * MIB);
            // A VMM in this process, which can't trace itself.
            hosts.migrate(hosts.request().withWrites(WritesChoice.WATCH));
            assertThat(hosts.source.state().error().orElseThrow()).contains("EPERM");
            hosts.migrate(hosts.request().withWrites(WritesChoice.COMPARE));
            hosts.assertMoved();
            assertThat(hosts.source.state().writes())
                    .contains(new GuestWrites.Found(GuestWrites.Way.COMPARE, Optional.empty()));
        }
    }

    @Test
    void driverThatNeverAnswersCostsItsSavingsOnly() throws Exception {
        long with;
        long without;
        try (TwoHosts hosts = new TwoHosts(Files.createDirectory(folder.resolve("1")), MEMORY, MigrationTest::silent)) {
            with = millis(hosts, true);
        }
        try (TwoHosts hosts = new TwoHosts(Files.createDirectory(folder.resolve("2")), MEMORY, MigrationTest::silent)) {
            without = millis(hosts, false);
        }
        // A twentieth, and what a busy machine and a JVM that does it for the first time may add: an engine that waits
        // for
        // hints would wait for seconds.
        assertThat(with).isLessThan(without + without / 20 + 500);
    }

    private static EmbeddedOptions silent(EmbeddedOptions options) {
        return TwoHosts.logged(options).withHints(EmbeddedOptions.Hints.SILENT);
    }

    /** Of a migration that the network holds back, so that it always takes as long. */
    private static long millis(TwoHosts hosts, boolean hints) {
        hosts.source.guest.work(120 * MIB, 80 * MIB);
        MigrationRequest request = hosts.request();
        hosts.migrate(request.withBandwidth(100 * MIB).withHints(hints ? HintsChoice.AUTO : HintsChoice.NONE));
        hosts.assertMoved();
        assertThat(hosts.source.state().report().orElseThrow().pages(Fate.HINTED))
                .isZero();
        return hosts.source.state().elapsed().toMillis();
    }

    @Test
    void driverThatLiesLosesNothingThatWasWrittenAgain() throws Exception {
        try (TwoHosts hosts = new TwoHosts(
                folder, MEMORY, options -> TwoHosts.logged(options).withHints(EmbeddedOptions.Hints.LYING))) {
            hosts.source.guest.work(200 * MIB, 150 * MIB);
            hosts.source.guest.busy(5000, 1000, 2000, true);
            // Slow enough that more than the driver's lies is hinted in a round: otherwise its guest counts as one that
            // clears what it hints.
            hosts.migrate(hosts.request().withBandwidth(50 * MIB));
            hosts.assertMoved();
            Report report = hosts.source.state().report().orElseThrow();
            assertThat(report.pages(Fate.HINTED)).as(report.toString()).isPositive();
        }
    }

    @Test
    @Tag("STR-SEC-2")
    void guestMovesUnderCertificates() throws Exception {
        Pki pki = Pki.in(folder.resolve("pki"));
        assertMovesProtected(
                CertificateSecurity.of(pki.addHost("here.example")), CertificateSecurity.of(pki.addHost("127.0.0.1")));
    }

    @Test
    @Tag("STR-SEC-3")
    void guestMovesUnderAPreSharedKey() throws Exception {
        Path file = Files.createFile(
                folder.resolve("key"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.writeString(file, "exomem:" + "5a".repeat(32) + "\n");
        assertMovesProtected(new PskSecurity(PreSharedKey.of(file)), new PskSecurity(PreSharedKey.of(file)));
    }

    /** Over TCP, two data connections, and compressed. */
    private void assertMovesProtected(StreamSecurity here, StreamSecurity there) throws Exception {
        StreamOptions stream = StreamOptions.defaults()
                .withChannels(2)
                .withFeatures(EnumSet.of(StreamFeature.RESUME, StreamFeature.ZSTD), EnumSet.of(StreamFeature.ZSTD));
        try (TwoHosts hosts = new TwoHosts(folder, MEMORY, TwoHosts::logged)) {
            hosts.source.guest.work(60 * MIB, 20 * MIB);
            hosts.source.guest.busy(1000, 200, 1000, false);
            MigrationRequest ready = hosts.receive(hosts.request()
                    .withAddress(TwoHosts.ANY_PORT)
                    .withSecurity(there)
                    .withStream(stream.withChannels(1)));
            hosts.source.migrate(ready.withSecurity(here).withStream(stream));
            hosts.awaitEnd();
            hosts.assertMoved();
            assertThat(hosts.destination.state().received().orElseThrow().pages())
                    .isGreaterThanOrEqualTo(40 * MIB / 4096);
        }
    }
}
