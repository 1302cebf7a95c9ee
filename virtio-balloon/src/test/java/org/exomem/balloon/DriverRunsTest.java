package org.exomem.balloon;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.exomem.balloon.TestGuest.ALL_FEATURES;
import static org.exomem.balloon.TestGuest.DEFLATE;
import static org.exomem.balloon.TestGuest.INFLATE;
import static org.exomem.balloon.TestGuest.range;

import java.lang.foreign.MemorySegment;
import org.exomem.balloon.TestGuest.News;
import org.exomem.linux.LinuxException;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.vhostuser.virtqueue.RingFeatures;
import org.exomem.vhostuser.virtqueue.RingLayout;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.exomem.vhostuser.virtqueue.VirtqueueSetup;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Which driver the pages in the balloon belong to: front-ends differ in how they report pauses, reboots and reconnects.
 */
class DriverRunsTest {
    private static final long START = 1L << 32;
    private static final int FIRST = 1 << 20;
    private static final News RESET = new News(Kind.RESET, 0, 0, 0);

    private TestGuest guest;

    @BeforeEach
    void inflate() throws LinuxException {
        guest = TestGuest.started();
        guest.ram.filled(START, 1 << 20);
        guest.inflate(range(FIRST, 100));
        guest.balloon.writeConfig(4, MemorySegment.ofArray(TestQueue.littleEndian(100)));
        guest.news();
        guest.actuals.clear();
    }

    @AfterEach
    void close() {
        guest.close();
    }

    private void expectBalloon(int pages) {
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(pages);
        assertThat(guest.balloon.actual()).isEqualTo(pages);
    }

    @Test
    void aPausedGuestKeepsItsBalloon() {
        int[] bases = guest.stop(true);
        expectBalloon(100);
        assertThat(guest.news()).as("the guest may reboot now").containsExactly(RESET);

        guest.goOn(bases);

        expectBalloon(100);
        assertThat(guest.news()).containsExactly(new News(Kind.INFLATED, 0, START, 100 * 4096));
    }

    @Test
    void aPausedGuestOfAFrontEndThatResetsForAPauseKeepsItsBalloon() {
        int[] bases = guest.stop(true);
        guest.balloon.reset();
        expectBalloon(0);

        guest.balloon.featuresAcknowledged(ALL_FEATURES);
        guest.goOn(bases);

        expectBalloon(100);
        assertThat(guest.actuals).containsExactly(0L, 100L);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aRebootedGuestHasAnEmptyBalloonWhetherAResetIsToldOrNot(boolean told) {
        guest.stop(true);
        if (told) {
            guest.balloon.reset();
        }
        guest.reboot(ALL_FEATURES);

        expectBalloon(0);
        assertThat(guest.news()).contains(RESET).noneMatch(news -> news.kind() == Kind.INFLATED);
    }

    @Test
    void aReloadedDriverStartsWithAnEmptyBalloonAndFillsItAgain() {
        guest.deflate(range(FIRST, 100));
        guest.reboot(ALL_FEATURES);
        guest.inflate(range(FIRST, 10));

        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(10);
    }

    @Test
    void aReconnectedFrontEndOfTheSameGuestFindsTheBalloonAgain() {
        int[] bases = guest.stop(false);
        guest.balloon.disconnected();
        expectBalloon(0);
        assertThat(guest.balloon.acknowledgedFeatures()).isZero();

        guest.balloon.connected(guest);
        guest.balloon.featuresAcknowledged(ALL_FEATURES);
        guest.goOn(bases);

        expectBalloon(100);
        assertThat(guest.balloon.acknowledgedFeatures()).isEqualTo(ALL_FEATURES);
    }

    @Test
    void anotherGuestBehindTheSameSocketFindsNothing() {
        guest.stop(false);
        guest.balloon.disconnected();
        guest.balloon.connected(guest);
        guest.balloon.setNumPages(7);
        guest.reboot(ALL_FEATURES);

        expectBalloon(0);
        assertThat(guest.balloon.numPages()).as("the operator's wish").isEqualTo(7);
    }

    @Test
    void aGuestThatWasTakenBackInTimeIsNotTheSame() {
        guest.inflate(range(FIRST + 100, 10));
        int[] bases = guest.stop(true);
        bases[INFLATE]--;
        guest.queues[INFLATE].takeBackLast();

        guest.goOn(bases);

        assertThat(guest.balloon.pagesInBalloon())
                .as("the last chain is served again, what came before is unknown")
                .isEqualTo(10);
    }

    @Test
    void aQueueThatIsResetAloneLeavesTheBalloon() {
        guest.stop(INFLATE, true);
        guest.queues[INFLATE].driverStartsAnew();
        guest.start(INFLATE, 0);

        expectBalloon(100);
    }

    @Test
    void pagesMayLeaveBeforeTheInflateQueueRunsAgain() {
        int[] bases = guest.stop(true);
        guest.balloon.reset();
        guest.start(DEFLATE, bases[DEFLATE]);
        guest.deflate(range(FIRST, 30));
        assertThat(guest.balloon.pagesInBalloon()).isZero();

        guest.start(INFLATE, bases[INFLATE]);

        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(70);
    }

    @Test
    void whatTheOperatorAskedForMeanwhileIsToldToADriverThatGoesOn() {
        int[] bases = guest.stop(false);
        guest.balloon.disconnected();
        guest.balloon.setNumPages(5);
        guest.balloon.connected(guest);
        assertThat(guest.configChanges).isZero();

        guest.balloon.featuresAcknowledged(ALL_FEATURES);
        guest.goOn(bases);

        assertThat(guest.configChanges).isEqualTo(1);
    }

    @Test
    void aPackedQueueThatGoesOnIsTheSame() {
        guest.stop(true);
        PackedRing ring = new PackedRing();
        int base = ring.inflateOne(guest);
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(1);

        ring.startAndStop(guest, base);

        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(1);
    }

    @Test
    void aPackedQueueIsNewAtIndexZeroWithItsWrapCounterSet() {
        guest.stop(true);
        int base = new PackedRing().inflateOne(guest);
        assertThat(base).isEqualTo(0x8001_8001);

        new PackedRing().startAndStop(guest, PackedRing.START);

        assertThat(guest.balloon.pagesInBalloon()).isZero();
    }

    /** A packed inflate queue with a driver that adds one buffer. */
    private final class PackedRing {
        static final int START = 0x8000_8000;
        private static final int SIZE = 8;
        private static final short AVAILABLE = 1 << 7;

        private final long descriptors = guest.ram.allocate(RingLayout.descriptorBytes(SIZE));
        private final long driver = guest.ram.allocate(4);
        private final long device = guest.ram.allocate(4);

        int inflateOne(TestGuest guest) {
            long buffer = guest.ram.allocate(4);
            guest.ram.at(buffer, 4).set(JAVA_INT, 0, FIRST);
            MemorySegment descriptor = guest.ram.at(descriptors, 16);
            descriptor.set(JAVA_LONG, 0, buffer);
            descriptor.set(JAVA_INT, 8, 4);
            descriptor.set(JAVA_SHORT, 14, AVAILABLE);
            return startAndStop(guest, START);
        }

        int startAndStop(TestGuest guest, int base) {
            Virtqueue queue = Virtqueue.create(new VirtqueueSetup(
                    INFLATE,
                    SIZE,
                    RingFeatures.VERSION_1 | RingFeatures.RING_PACKED,
                    guest.ram.memory(),
                    guest.ram.area(descriptors, RingLayout.descriptorBytes(SIZE)),
                    guest.ram.area(driver, 4),
                    guest.ram.area(device, 4),
                    base,
                    -1,
                    null));
            guest.balloon.queueStarted(queue);
            guest.balloon.process(queue);
            guest.balloon.queueStopped(queue, true);
            return queue.base();
        }
    }
}
