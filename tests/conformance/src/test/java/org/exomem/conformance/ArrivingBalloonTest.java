package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.exomem.balloon.StatisticsTag;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.LateMemory;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.linux.LateMapping;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A balloon that works while the memory of its guest arrives page by page. */
class ArrivingBalloonTest {
    private static final long MIB = 1 << 20;
    private static final int RING_SIZE = 64;
    private static final int DEFLATE = 1;
    private static final int STATISTICS = 2;
    private static final int REPORTING = 4;
    private static final int BUFFERS = 30;
    private static final int NUMBERS = 40;
    private static final Duration LIMIT = EchoBackEnd.LIMIT;

    @TempDir
    Path folder;

    private BalloonBackEnd backEnd;
    private ArrivingGuest guest;

    @BeforeEach
    void start() throws Exception {
        assumeTrue(LateMapping.isPossible(), "this host lets nobody have such a userfaultfd");
        backEnd = new BalloonBackEnd(folder.resolve("s"));
        guest = new ArrivingGuest(
                FrontEnd.connect(backEnd.socket),
                GuestRam.withPciHole(4 * MIB, 4 * MIB),
                BalloonFeatures.LINUX | Features.INDIRECT_DESC);
    }

    @AfterEach
    void end() {
        if (guest != null) {
            guest.close();
        }
        if (backEnd != null) {
            backEnd.close();
        }
    }

    private long balloon() throws Exception {
        return backEnd.onLoop(backEnd.balloon::pagesInBalloon);
    }

    private long discarded() throws Exception {
        return backEnd.onLoop(() -> backEnd.balloon.freePages().discardedBytes());
    }

    /** Makes buffers of page numbers available, each on a page of its own, and records the pages. */
    private void inflate(RingDriver ring, Random random, BitSet pages) {
        GuestRam ram = guest.ram;
        int all = (int) (4 * MIB / GuestRam.PAGE);
        for (int i = 0; i < BUFFERS; i++) {
            long buffer = ram.allocate(2 * GuestRam.PAGE, GuestRam.PAGE) + random.nextInt(4096);
            for (int n = 0; n < NUMBERS; n++) {
                // The upper half of the lower region, whose content the guest does not need any more.
                int page = all / 2 + random.nextInt(all / 2);
                pages.set(page);
                ram.putInt(buffer + 4L * n, page);
            }
            ring.add(List.of(Buffer.readable(buffer, 4L * NUMBERS)));
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    @Tag("VHU-PST-1")
    @Tag("VHU-PST-9")
    @Tag("BAL-INF-8")
    void theBalloonKeepsItsNotesAndDiscardsNothingThatIsStillToCome(long seed) throws Exception {
        Random random = new Random(seed);
        GuestRam ram = guest.ram;
        ram.bytes(2 * MIB, 2 * MIB).fill((byte) 0x5a);
        RingDriver inflate = guest.addRing(0, RING_SIZE);
        RingDriver deflate = guest.addRing(DEFLATE, RING_SIZE);
        RingDriver statistics = guest.addRing(STATISTICS, RING_SIZE);
        RingDriver reporting = guest.addRing(REPORTING, RING_SIZE);
        BitSet pages = new BitSet();
        inflate(inflate, random, pages);
        long values = ram.allocate(20, 8);
        ram.putShort(values, StatisticsTag.FREE_MEMORY.tag());
        ram.putLong(values + 2, 1234567);
        statistics.add(List.of(Buffer.readable(values, 10)));
        long reported = 3 * MIB + 64 * GuestRam.PAGE;
        reporting.add(List.of(Buffer.writable(reported, 32 * GuestRam.PAGE)));

        LateMemory memory = guest.leave();
        guest.listen();
        // Only requested pages are placed: the device must not wait for pages that it does not need.
        memory.start(seed, false);
        List<RingDriver> rings = new ArrayList<>(List.of(inflate, deflate, statistics, reporting));
        for (RingDriver ring : rings) {
            guest.start(ring);
        }
        await().atMost(LIMIT).until(() -> balloon() == pages.cardinality());
        await().atMost(LIMIT)
                .until(() -> backEnd.onLoop(() -> backEnd.balloon.freePages().reports() == 1));
        await().atMost(LIMIT)
                .until(() -> backEnd.onLoop(() -> backEnd.balloon.statistics().values())
                                        .get(StatisticsTag.FREE_MEMORY)
                                instanceof Long value
                        && value == 1234567);
        pages.stream()
                .forEach(page ->
                        assertThat(memory.wasAsked(page * GuestRam.PAGE)).isFalse());
        assertThat(memory.wasAsked(reported)).as("a page that is only named").isFalse();
        guest.arrive();
        assertThat(discarded()).isZero();
        for (int i = 0; i < BUFFERS; i++) {
            assertThat(inflate.poll()).isNotNull();
        }
        assertThat(ram.bytes(2 * MIB, 2 * MIB).mismatch(memory.content(2 * MIB)))
                .isEqualTo(GuestRam.PAGE);
        assertThat(ram.getByte(reported)).as("a reported page is as it came").isEqualTo((byte) 0x5a);

        // From now on it discards as usual.
        long more = ram.allocate(4, 4);
        ram.putInt(more, (int) (MIB / GuestRam.PAGE));
        inflate.add(List.of(Buffer.readable(more, 4)));
        inflate.kick();
        await().atMost(LIMIT).until(() -> discarded() == GuestRam.PAGE);
        assertThat(backEnd.faults).isEmpty();
    }
}
