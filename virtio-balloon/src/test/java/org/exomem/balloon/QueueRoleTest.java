package org.exomem.balloon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.stream.LongStream;
import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class QueueRoleTest {
    private static final long START = 1L << 32;
    private static final int FIRST = 1 << 20;
    private static final int MIB = 1 << 20;

    static LongStream everySubsetOfTheFeatures() {
        return LongStream.rangeClosed(0, TestGuest.ALL_FEATURES);
    }

    @ParameterizedTest
    @MethodSource("everySubsetOfTheFeatures")
    @Tag("BAL-Q-1")
    void everyQueueDoesItsWorkAtItsNumber(long features) throws LinuxException {
        try (TestGuest guest = new TestGuest()) {
            guest.ram.filled(START, 4 * MIB);
            boolean statistics = (features & 0b10) != 0;
            boolean hinting = (features & 0b1000) != 0;
            boolean reporting = (features & 0b10_0000) != 0;
            int next = 2;
            int statisticsQueue = statistics ? next++ : -1;
            int freePageQueue = hinting ? next++ : -1;
            int reportingQueue = reporting ? next++ : -1;
            guest.start(features, next);

            guest.inflate(FIRST);
            assertThat(guest.balloon.pagesInBalloon()).isEqualTo(1);
            guest.deflate(FIRST);
            assertThat(guest.balloon.pagesInBalloon()).isZero();
            if (statistics) {
                TestQueue queue = guest.queues[statisticsQueue];
                queue.add(queue.readable(new byte[] {4, 0, 1, 0, 0, 0, 0, 0, 0, 0}));
                guest.process(statisticsQueue);
            }
            assertThat(guest.balloon.statistics().values()).hasSize(statistics ? 1 : 0);
            if (hinting) {
                guest.balloon.startHinting();
                TestQueue queue = guest.queues[freePageQueue];
                queue.add(queue.readable(TestQueue.littleEndian(Hinting.FIRST_ID)));
                queue.add(TestQueue.writable(START, MIB));
                guest.process(freePageQueue);
            } else {
                assertThatThrownBy(guest.balloon::startHinting)
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining("not negotiated");
            }
            assertThat(guest.balloon.freePages().hintedBytes()).isEqualTo(hinting ? MIB : 0);
            if (reporting) {
                guest.queues[reportingQueue].add(TestQueue.writable(START, 2 * MIB));
                guest.process(reportingQueue);
            }
            assertThat(guest.balloon.freePages().reportedBytes()).isEqualTo(reporting ? 2 * MIB : 0);
        }
    }

    @ParameterizedTest
    @MethodSource("everySubsetOfTheFeatures")
    void aQueueBeyondTheNegotiatedOnesIsTheDriversFault(long features) throws LinuxException {
        try (TestGuest guest = new TestGuest()) {
            int count = QueueRole.count(features);
            guest.start(features, count);
            if (count == 5) {
                return;
            }
            guest.start(count, 0);
            guest.queues[count].addPfns(1);

            assertThatThrownBy(() -> guest.process(count))
                    .isInstanceOf(DriverFault.class)
                    .hasMessageContaining("queue " + count)
                    .hasMessageContaining("queues 0 to " + (count - 1));
        }
    }

    @Test
    void theQueuesMayStartInAnyOrder() throws LinuxException {
        try (TestGuest guest = new TestGuest()) {
            guest.ram.filled(START, 4 * MIB);
            guest.balloon.featuresAcknowledged(TestGuest.ALL_FEATURES);
            for (int index : new int[] {4, 2, 0, 3, 1}) {
                guest.start(index, 0);
            }
            guest.inflate(FIRST, FIRST + 1);
            guest.deflate(FIRST);

            assertThat(guest.balloon.pagesInBalloon()).isEqualTo(1);
        }
    }

    @Test
    void whatAQueueHeldBeforeItStartedIsServedAtItsStart() throws LinuxException {
        try (TestGuest guest = new TestGuest()) {
            guest.ram.filled(START, 4 * MIB);
            guest.queues[0].addPfns(FIRST, FIRST + 1);
            guest.start(TestGuest.ALL_FEATURES, 5);

            assertThat(guest.balloon.pagesInBalloon()).isEqualTo(2);
        }
    }
}
