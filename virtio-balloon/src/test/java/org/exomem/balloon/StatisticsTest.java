package org.exomem.balloon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class StatisticsTest {
    private static final int STATISTICS = 2;

    private TestGuest guest;
    private TestQueue queue;

    @BeforeEach
    void start() throws LinuxException {
        guest = TestGuest.started();
        queue = guest.queues[STATISTICS];
    }

    @AfterEach
    void close() {
        guest.close();
    }

    /** Alternating tags and values. */
    private static byte[] entries(long... tagsAndValues) {
        ByteBuffer bytes = ByteBuffer.allocate(tagsAndValues.length / 2 * 10).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < tagsAndValues.length; i += 2) {
            bytes.putShort((short) tagsAndValues[i]).putLong(tagsAndValues[i + 1]);
        }
        return bytes.array();
    }

    private int give(long... tagsAndValues) {
        int head = queue.add(queue.readable(entries(tagsAndValues)));
        guest.process(STATISTICS);
        return head;
    }

    private TestGuest.TestTimer lastTimer() {
        return guest.timers.getLast();
    }

    @Test
    @Tag("BAL-STAT-5")
    void valuesComeUnderTheirTags() {
        long before = Instant.now().getEpochSecond();
        give(15, 150, 4, 1L << 40, 0, 7);

        assertThat(guest.balloon.statistics().values())
                .hasSize(3)
                .containsEntry(StatisticsTag.DIRECT_RECLAIMS, 150L)
                .containsEntry(StatisticsTag.FREE_MEMORY, 1L << 40)
                .containsEntry(StatisticsTag.SWAP_IN, 7L);
        assertThat(guest.balloon.statistics().lastUpdateSeconds())
                .isBetween(before, Instant.now().getEpochSecond());
        assertThat(guest.statisticsUpdates).isEqualTo(1);
    }

    @Test
    @Tag("BAL-STAT-4")
    void everyTagOfLinuxIsKnownByItsNumberAndByQemusName() {
        String[] names = {
            "stat-swap-in", "stat-swap-out", "stat-major-faults", "stat-minor-faults", "stat-free-memory",
            "stat-total-memory", "stat-available-memory", "stat-disk-caches", "stat-htlb-pgalloc", "stat-htlb-pgfail",
            "stat-oom-kills", "stat-alloc-stalls", "stat-async-scans", "stat-direct-scans", "stat-async-reclaims",
            "stat-direct-reclaims"
        };
        StatisticsTag[] tags = StatisticsTag.values();
        assertThat(tags).hasSize(16);
        for (int i = 0; i < 16; i++) {
            give(i, i + 1000);
            assertThat(tags[i].tag()).isEqualTo(i);
            assertThat(tags[i].qmpName()).isEqualTo(names[i]);
            assertThat(guest.balloon.statistics().values())
                    .containsOnlyKeys(tags[i])
                    .containsEntry(tags[i], i + 1000L);
        }
    }

    @Test
    @Tag("BAL-STAT-3")
    void unknownTagsAreLeftOut() {
        give(16, 1, 0xffff, 2, 5, 3);

        assertThat(guest.balloon.statistics().values()).containsOnlyKeys(StatisticsTag.TOTAL_MEMORY);
    }

    @Test
    void anEntryMayBeCutByTheBorderOfTwoBuffers() {
        byte[] bytes = entries(5, 0x1122_3344_5566_7788L, 6, 9);
        queue.add(queue.readable(Arrays.copyOfRange(bytes, 0, 7)), queue.readable(Arrays.copyOfRange(bytes, 7, 20)));
        guest.process(STATISTICS);

        assertThat(guest.balloon.statistics().values())
                .containsEntry(StatisticsTag.TOTAL_MEMORY, 0x1122_3344_5566_7788L)
                .containsEntry(StatisticsTag.AVAILABLE_MEMORY, 9L);
    }

    @Test
    void moreEntriesThanAreReadAtOnceAllCount() {
        long[] many = new long[2 * 100];
        for (int i = 0; i < 100; i++) {
            many[2 * i] = 20 + i;
        }
        many[2 * 33] = 3;
        many[2 * 33 + 1] = 33;
        many[2 * 99] = 4;
        many[2 * 99 + 1] = 99;
        give(many);

        assertThat(guest.balloon.statistics().values())
                .hasSize(2)
                .containsEntry(StatisticsTag.MINOR_FAULTS, 33L)
                .containsEntry(StatisticsTag.FREE_MEMORY, 99L);
    }

    @Test
    void halfAnEntryAtTheEndIsIgnored() {
        queue.add(queue.readable(Arrays.copyOf(entries(5, 1, 6, 2), 15)));
        guest.process(STATISTICS);

        assertThat(guest.balloon.statistics().values()).containsOnlyKeys(StatisticsTag.TOTAL_MEMORY);
    }

    @Test
    void aValueThatIsNoLongerSuppliedIsGone() {
        give(1, 1, 2, 2);
        give(2, 3);

        assertThat(guest.balloon.statistics().values()).containsOnlyKeys(StatisticsTag.MAJOR_FAULTS);
    }

    @Test
    void theFirstBufferMayBeEmpty() {
        int head = queue.add(TestQueue.writable(TestRam.OWN, 10));
        guest.process(STATISTICS);

        assertThat(guest.balloon.statistics().lastUpdateSeconds()).isZero();
        guest.balloon.requestStatistics();
        assertThat(queue.used()).containsExactly(head);
    }

    @Test
    void aQueueThatIsDisabledIsAskedWhenItRunsAgain() {
        int head = give(5, 1);
        guest.mayPush = false;
        guest.balloon.requestStatistics();
        assertThat(queue.used()).isEmpty();

        guest.mayPush = true;
        guest.process(STATISTICS);
        assertThat(queue.used()).containsExactly(head);
    }

    @Test
    void anAbsurdLengthIsTheDriversFault() {
        byte[] large = new byte[1 << 19];
        queue.add(queue.readable(large), queue.readable(large));

        assertThatThrownBy(() -> guest.process(STATISTICS))
                .isInstanceOf(DriverFault.class)
                .hasMessageContaining("1048576 bytes");
    }

    @Test
    @Tag("BAL-STAT-1")
    void withoutAnIntervalTheBufferStaysUntilSomebodyAsks() {
        int head = give(4, 1);
        assertThat(queue.used()).isEmpty();
        assertThat(guest.timers).isEmpty();

        guest.balloon.requestStatistics();

        assertThat(queue.used()).containsExactly(head);
        assertThat(guest.called).containsExactly(STATISTICS);
    }

    @Test
    void askingAgainBeforeTheAnswerDoesNothing() {
        give(4, 1);
        guest.balloon.requestStatistics();
        guest.balloon.requestStatistics();
        int head = give(4, 2);

        assertThat(queue.used()).hasSize(1).doesNotContain(head);
    }

    @Test
    void aQuestionWithoutABufferIsAskedWhenOneComes() {
        guest.balloon.requestStatistics();
        int first = give(4, 1);
        assertThat(queue.used()).containsExactly(first);

        give(4, 2);
        assertThat(queue.used()).hasSize(1);
        assertThat(guest.balloon.statistics().values()).containsEntry(StatisticsTag.FREE_MEMORY, 2L);
    }

    @Test
    @Tag("BAL-STAT-2")
    void aSecondBufferMakesTheFirstComeBack() {
        int first = give(4, 1);
        int second = give(4, 2);

        assertThat(queue.used()).containsExactly(first);
        assertThat(guest.balloon.statistics().values()).containsEntry(StatisticsTag.FREE_MEMORY, 2L);
        guest.balloon.requestStatistics();
        assertThat(queue.used()).as("an answer is still due").containsExactly(first, second);
    }

    @Test
    void theIntervalAsksAtOnceAndThenAgainAndAgain() {
        int first = give(4, 1);
        guest.balloon.setStatisticsInterval(2);
        assertThat(guest.balloon.statisticsInterval()).isEqualTo(2);
        assertThat(queue.used()).containsExactly(first);
        assertThat(lastTimer().delay).isEqualTo(Duration.ofSeconds(2));

        int second = give(4, 2);
        assertThat(queue.used()).containsExactly(first);
        lastTimer().task.run();
        assertThat(queue.used()).containsExactly(first, second);

        give(4, 3);
        assertThat(guest.timers).hasSize(2);
        lastTimer().task.run();
        assertThat(queue.used()).hasSize(3);
    }

    @Test
    void aSilentDriverIsNotAskedTwice() {
        guest.balloon.setStatisticsInterval(1);
        give(4, 1);
        for (int i = 0; i < 5; i++) {
            lastTimer().task.run();
        }

        assertThat(queue.used()).hasSize(1);
    }

    @Test
    void anotherIntervalReplacesTheTimerAndZeroEndsIt() {
        guest.balloon.setStatisticsInterval(10);
        TestGuest.TestTimer ten = lastTimer();
        guest.balloon.setStatisticsInterval(10);
        assertThat(guest.timers).hasSize(1);

        guest.balloon.setStatisticsInterval(3);
        assertThat(ten.cancelled).isTrue();
        TestGuest.TestTimer three = lastTimer();
        assertThat(three.delay).isEqualTo(Duration.ofSeconds(3));

        guest.balloon.setStatisticsInterval(0);
        assertThat(three.cancelled).isTrue();
        assertThat(guest.timers).hasSize(2);
        assertThatThrownBy(() -> guest.balloon.setStatisticsInterval(-1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void theIntervalGoesOnOverAReboot() {
        guest.balloon.setStatisticsInterval(1);
        guest.reboot(TestGuest.ALL_FEATURES);
        give(4, 1);
        lastTimer().task.run();

        assertThat(queue.used()).hasSize(1);
    }

    @Test
    void aCompletedQueueHasItsBufferBackSoThatADriverThatGoesOnAnswers() {
        int head = give(4, 1);
        int base = guest.stop(STATISTICS, true);
        assertThat(queue.used()).containsExactly(head);
        assertThat(guest.called).containsExactly(STATISTICS);

        guest.start(STATISTICS, base);
        give(4, 2);

        assertThat(guest.balloon.statistics().values()).containsEntry(StatisticsTag.FREE_MEMORY, 2L);
    }

    @Test
    void afterALostConnectionTheBufferIsTakenAgain() {
        int head = give(4, 1);
        guest.stop(STATISTICS, false);
        assertThat(queue.used()).isEmpty();

        // The front-end continues from the used ring's index.
        guest.start(STATISTICS, 0);
        guest.balloon.requestStatistics();

        assertThat(queue.used()).containsExactly(head);
    }

    @Test
    void askingWithoutAGuestDoesNothing() {
        guest.stop(false);
        guest.balloon.disconnected();
        guest.balloon.requestStatistics();

        assertThat(guest.called).isEmpty();
    }
}
