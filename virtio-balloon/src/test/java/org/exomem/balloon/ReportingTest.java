package org.exomem.balloon;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.exomem.balloon.TestQueue.littleEndian;
import static org.exomem.balloon.TestQueue.writable;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.exomem.balloon.TestGuest.News;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class ReportingTest {
    private static final int REPORTING = 4;
    private static final long START = 1L << 32;
    private static final int MIB = 1 << 20;
    private static final long PAGE_POISON = 1 << 4;

    private TestGuest guest;
    private TestQueue queue;
    private MemoryRegion region;

    @BeforeEach
    void start() throws LinuxException {
        guest = TestGuest.started();
        queue = guest.queues[REPORTING];
        region = guest.ram.filled(START, 32 * MIB);
        guest.news();
    }

    @AfterEach
    void close() {
        guest.close();
    }

    private void report(TestQueue.Piece... ranges) {
        queue.add(ranges);
        guest.process(REPORTING);
    }

    private void poison(int value) {
        guest.balloon.writeConfig(12, MemorySegment.ofArray(littleEndian(value)));
    }

    @Test
    @Tag("BAL-REP-1")
    @Tag("BAL-REP-2")
    void reportedRangesGoBackToTheHostBeforeTheChainGoesBackToTheDriver() throws LinuxException {
        report(writable(START, 2 * MIB), writable(START + 8 * MIB, 4 * MIB));

        assertThat(region.file().allocatedBytes()).isEqualTo(26 * MIB);
        assertThat(guest.punched)
                .hasSize(2)
                .allSatisfy(call -> assertThat(call.usedBefore()).isZero());
        assertThat(queue.used()).hasSize(1);
        assertThat(guest.news())
                .containsExactly(
                        new News(Kind.REPORTED, 0, START, 2 * MIB),
                        new News(Kind.REPORTED, 0, START + 8 * MIB, 4 * MIB));
        FreePages known = guest.balloon.freePages();
        assertThat(known.reportedBytes()).isEqualTo(6 * MIB);
        assertThat(known.discardedBytes()).isEqualTo(6 * MIB);
        assertThat(known.reports()).isEqualTo(1);
    }

    @Test
    void neighboursInAnyOrderAreOneCall() {
        report(
                writable(START + 6 * MIB, 2 * MIB),
                writable(START, 2 * MIB),
                writable(START + 4 * MIB, 2 * MIB),
                writable(START + 2 * MIB, 2 * MIB));

        assertThat(guest.punched).hasSize(1);
        assertThat(guest.punched.getFirst().length()).isEqualTo(8 * MIB);
    }

    @Test
    void aReportOfVeryManyRangesIsDoneWhole() throws LinuxException {
        List<TestQueue.Piece> ranges = new ArrayList<>();
        for (int i = 0; i < 1000; i++) {
            ranges.add(writable(START + 8192L * (999 - i), 4096));
        }
        queue.add(ranges);
        guest.process(REPORTING);

        assertThat(region.file().allocatedBytes()).isEqualTo(32 * MIB - 1000 * 4096);
    }

    @Test
    void onlyWholePagesAreDiscarded() throws LinuxException {
        report(writable(START + 100, 3 * 4096));

        assertThat(region.file().allocatedBytes()).isEqualTo(32 * MIB - 2 * 4096);
        assertThat(region.segment().get(JAVA_BYTE, 200)).isEqualTo((byte) 0x5a);
        assertThat(guest.news()).containsExactly(new News(Kind.REPORTED, 0, START + 4096, 2 * 4096));
    }

    @Test
    @Tag("BAL-POI-2")
    void poisonedPagesAreAcknowledgedAndStay() throws LinuxException {
        poison(0xaaaa_aaaa);
        report(writable(START, 4 * MIB));

        assertThat(guest.punched).isEmpty();
        assertThat(guest.news()).isEmpty();
        assertThat(queue.used()).hasSize(1);
        assertThat(region.file().allocatedBytes()).isEqualTo(32 * MIB);
        assertThat(guest.balloon.freePages().reportedBytes()).isEqualTo(4 * MIB);
        assertThat(guest.balloon.freePages().discardedBytes()).isZero();
    }

    @Test
    void pagesThatTheGuestFillsWithZeroAreDiscarded() {
        poison(0);
        report(writable(START, 4 * MIB));

        assertThat(guest.punched).hasSize(1);
    }

    @Test
    void poisonThatWasNotNegotiatedDoesNotCount() {
        guest.reboot(TestGuest.ALL_FEATURES & ~PAGE_POISON);
        poison(0xaaaa_aaaa);
        report(writable(START, 4 * MIB));

        assertThat(guest.punched).hasSize(1);
    }

    @Test
    void aReportDoesNotChangeTheBalloon() {
        guest.inflate(1 << 20, (1 << 20) + 1);
        report(writable(START, 2 * MIB));

        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(2);
    }

    @Test
    void withoutDiscardingReportsAreToldOnly() throws LinuxException {
        try (TestGuest keeping = new TestGuest(
                new BalloonOptions(false, true, false, true, true, true, FreePageRequests.BITMAP, false))) {
            keeping.start(keeping.balloon.features(), 5);
            MemoryRegion kept = keeping.ram.filled(START, 2 * MIB);
            keeping.queues[REPORTING].add(writable(START, 2 * MIB));
            keeping.process(REPORTING);

            assertThat(kept.file().allocatedBytes()).isEqualTo(2 * MIB);
            assertThat(keeping.news()).contains(new News(Kind.REPORTED, 0, START, 2 * MIB));
        }
    }

    @Test
    void somethingToReadIsTheDriversFaultAndNothingIsDiscarded() {
        queue.add(queue.readable(littleEndian(0x8000_0000)), writable(START, 2 * MIB));

        assertThatThrownBy(() -> guest.process(REPORTING))
                .isInstanceOf(DriverFault.class)
                .hasMessageContaining("reports must have none");
        assertThat(guest.punched).isEmpty();
    }

    @Test
    @Tag("BAL-REP-3")
    void aRangeThatIsNotSharedIsLeftAloneAndTheRestIsDiscarded() throws LinuxException {
        report(writable(1L << 40 << 2, MIB), writable(START, 2 * MIB), writable(START + 31 * MIB, 2 * MIB));
        report(writable(START + 2 * MIB, 2 * MIB));

        assertThat(region.file().allocatedBytes()).isEqualTo(28 * MIB);
        assertThat(queue.used()).hasSize(2);
        assertThat(guest.balloon.freePages().reportedBytes()).isEqualTo(4 * MIB);
        assertThat(guest.balloon.freePages().ignoredPages()).isEqualTo(3 * MIB / 4096);
    }

    @Test
    @Tag("BAL-REP-4")
    void memoryThatWasPromisedIsKeptThoughItIsReported() throws LinuxException {
        guest.promised.add(START + 4 * MIB, 4 * MIB);
        guest.promised.add(START + 8 * MIB, 2 * MIB);
        guest.promised.add(START + 20 * MIB, 100L * MIB);
        report(writable(START, 32 * MIB));

        assertThat(guest.punched).hasSize(2);
        assertThat(region.file().allocatedBytes()).isEqualTo((6 + 12) * MIB);
        assertThat(region.segment().get(JAVA_BYTE, 4 * MIB)).isEqualTo((byte) 0x5a);
        assertThat(region.segment().get(JAVA_BYTE, 10 * MIB)).isZero();
        assertThat(queue.used()).hasSize(1);
        assertThat(guest.balloon.freePages().reportedBytes()).isEqualTo(32 * MIB);
    }

    @Test
    void aFailingDiscardLetsTheGuestGoOn() {
        guest.punchFailure = new LinuxException("fallocate", "ram", Errno.EOPNOTSUPP);
        report(writable(START, 2 * MIB));

        assertThat(guest.hostFaults).hasSize(1);
        assertThat(queue.used()).hasSize(1);
    }
}
