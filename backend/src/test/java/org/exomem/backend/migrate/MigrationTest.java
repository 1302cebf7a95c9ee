package org.exomem.backend.migrate;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.exomem.migration.Fate;
import org.exomem.migration.precopy.PrecopyOptions;
import org.exomem.migration.precopy.Report;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A guest that verifies all of its memory moves from one exomem to another. */
@Timeout(value = 120, unit = TimeUnit.SECONDS)
class MigrationTest {
    private static final long MIB = 1 << 20;
    private static final long MEMORY = 256 * MIB;

    @TempDir
    Path folder;

    @Test
    void guestMovesWithItsMemoryAndRunsOnThere() throws Exception {
        try (TwoHosts hosts = new TwoHosts(folder, MEMORY, options -> options.withLog(log(options.ram())))) {
            hosts.source.guest.work(100 * MIB, 20 * MIB);
            hosts.source.guest.busy(2000, 500, 2000, false);
            hosts.migrate(hosts.wish(PrecopyOptions.DEFAULT));
            assertMoved(hosts);
            Report report = hosts.source.state().report().orElseThrow();
            assertThat(report.pages(Fate.SENT)).isBetween(80 * MIB / 4096, 120 * MIB / 4096);
            assertThat(report.pages(Fate.HOLE)).isGreaterThan(100 * MIB / 4096);
        }
    }

    @Test
    void guestMovesWhoseVmmTellsOfNoWrites() throws Exception {
        try (TwoHosts hosts = new TwoHosts(folder, MEMORY, options -> options)) {
            hosts.source.guest.work(100 * MIB, 20 * MIB);
            hosts.source.guest.busy(2000, 500, 2000, false);
            hosts.migrate(hosts.wish(PrecopyOptions.DEFAULT));
            assertMoved(hosts);
        }
    }

    @Test
    void freePagesThatTheGuestHintsDoNotTravel() throws Exception {
        try (TwoHosts hosts = new TwoHosts(folder, MEMORY, options -> options.withLog(log(options.ram())))) {
            hosts.source.guest.work(220 * MIB, 200 * MIB);
            hosts.migrate(hosts.wish(PrecopyOptions.DEFAULT));
            assertMoved(hosts);
            Report report = hosts.source.state().report().orElseThrow();
            assertThat(report.pages(Fate.HINTED)).isGreaterThan(100 * MIB / 4096);
            assertThat(report.pages(Fate.SENT)).isLessThan(120 * MIB / 4096);
        }
    }

    private static Path log(Path ram) {
        return ram.resolveSibling(ram.getFileName() + ".log");
    }

    private static void assertMoved(TwoHosts hosts) {
        assertThat(hosts.source.state().error()).isEmpty();
        assertThat(hosts.source.state().status()).isEqualTo(Status.COMPLETED);
        assertThat(hosts.destination.state().error()).isEmpty();
        assertThat(hosts.destination.state().status()).isEqualTo(Status.COMPLETED);
        assertThat(hosts.destination.guest.verify()).isEmpty();
        assertThat(hosts.destination.guest.usage().held())
                .isEqualTo(hosts.source.guest.usage().held());
        assertThat(hosts.destination.guest.failure()).isNull();
    }
}
