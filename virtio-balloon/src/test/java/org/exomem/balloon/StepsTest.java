package org.exomem.balloon;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.exomem.balloon.TestGuest.DEFLATE;
import static org.exomem.balloon.TestGuest.INFLATE;
import static org.exomem.balloon.TestGuest.range;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * No step of the event loop is long, whatever a driver sends at once. Work is counted and not timed: a step may make
 * some thousand system calls that free some ten MiB.
 */
@Tag("BAL-STEP-1")
class StepsTest {
    private static final int REPORTING = 4;
    private static final int FREE_PAGES = 3;
    private static final long GIB = 1L << 30;
    private static final long START = 4 * GIB;
    private static final int FIRST = (int) (START >> 12);
    private static final int MOST_CALLS = 2500;
    private static final long MOST_BYTES = 160L << 20;

    private TestGuest guest;
    private MemoryRegion large;

    @BeforeEach
    void start() throws LinuxException {
        guest = TestGuest.started();
        large = guest.ram.add(START, 8 * GIB, 0, SharedFile.memfd("large", 8 * GIB));
    }

    @AfterEach
    void close() {
        guest.close();
    }

    private static int[] everyOther(int count) {
        return IntStream.range(0, count).map(i -> FIRST + 2 * i).toArray();
    }

    /** Processes a queue to its end. Returns the number of steps, none of which may do too much. */
    private int processInShortSteps(int index) {
        int steps = 0;
        boolean more = true;
        while (more) {
            guest.punched.clear();
            more = guest.processOnce(index);
            steps++;
            assertThat(guest.punched.size()).isLessThan(MOST_CALLS);
            assertThat(guest.punched.stream()
                            .mapToLong(TestGuest.Punched::length)
                            .sum())
                    .isLessThan(MOST_BYTES);
        }
        return steps;
    }

    @Test
    void aBufferOfManyScatteredPagesTakesManySteps() {
        int pages = 50_000;
        guest.queues[INFLATE].addPfns(everyOther(pages));

        assertThat(processInShortSteps(INFLATE)).isGreaterThan(20);
        assertThat(guest.queues[INFLATE].used()).hasSize(1);
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(pages);
        assertThat(guest.balloon.freePages().discardedBytes()).isEqualTo(pages * 4096L);
    }

    @Test
    void longRunsAreCutToo() {
        guest.queues[INFLATE].addPfns(range(FIRST, 1 << 20));

        assertThat(processInShortSteps(INFLATE)).isGreaterThan(20);
        assertThat(guest.balloon.freePages().discardedBytes()).isEqualTo(4 * GIB);
    }

    @Test
    void pagesThatAreNotSharedTakeStepsAsWell() {
        int[] unknown = new int[1 << 20];
        guest.queues[INFLATE].addPfns(unknown);

        assertThat(processInShortSteps(INFLATE)).isGreaterThan(4);
        assertThat(guest.balloon.freePages().ignoredPages()).isEqualTo(unknown.length);
    }

    @Test
    void aReportOfFourGibibytesIsDiscardedInPartsAndComesBackOnce() {
        long whole = 4 * GIB - 4096;
        guest.queues[REPORTING].add(TestQueue.writable(START + 4096, whole));

        assertThat(processInShortSteps(REPORTING)).isGreaterThan(20);
        assertThat(guest.queues[REPORTING].used()).hasSize(1);
        assertThat(guest.balloon.freePages().discardedBytes()).isEqualTo(whole);
        assertThat(guest.balloon.freePages().reportedBytes()).isEqualTo(whole);
    }

    @Test
    void aReportOfManyScatteredPagesTakesManySteps() {
        List<TestQueue.Piece> pieces = new ArrayList<>();
        for (int i = 0; i < 4000; i++) {
            pieces.add(TestQueue.writable(START + i * 8192L, 4096));
        }
        Collections.reverse(pieces);
        guest.queues[REPORTING].add(pieces);

        assertThat(processInShortSteps(REPORTING)).isGreaterThan(1);
        assertThat(guest.balloon.freePages().discardedBytes()).isEqualTo(4000 * 4096L);
    }

    @Test
    void manyHugeHintsTakeSeveralSteps() {
        guest.balloon.startHinting();
        guest.queues[FREE_PAGES].add(guest.queues[FREE_PAGES].readable(
                TestQueue.littleEndian(guest.balloon.freePages().commandId())));
        for (int i = 0; i < 100; i++) {
            guest.queues[FREE_PAGES].add(TestQueue.writable(START, 4 * GIB - 4096));
        }

        assertThat(processInShortSteps(FREE_PAGES)).isGreaterThan(5);
        assertThat(guest.balloon.freePages().hintedBytes()).isEqualTo(4 * GIB - 4096);
    }

    @Test
    void otherQueuesAreServedWhileAChainIsInHand() {
        guest.inflate(range(FIRST + (1 << 20), 8));
        guest.queues[INFLATE].addPfns(everyOther(50_000));
        assertThat(guest.processOnce(INFLATE)).isTrue();

        guest.deflate(range(FIRST + (1 << 20), 8));
        assertThat(guest.queues[DEFLATE].used()).hasSize(1);

        guest.process(INFLATE);
        assertThat(guest.queues[INFLATE].used()).hasSize(2);
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(50_000);
    }

    @Test
    @Tag("BAL-STEP-2")
    void aQueueThatStopsHandsAChainBackAndItIsServedAnewWhereTheQueueGoesOn() {
        for (int index : new int[] {INFLATE, REPORTING}) {
            if (index == INFLATE) {
                guest.queues[index].addPfns(FIRST);
                guest.queues[index].addPfns(everyOther(50_000));
            } else {
                guest.queues[index].add(TestQueue.writable(START, 4 * GIB - 4096));
            }
            assertThat(guest.processOnce(index)).isTrue();
            int base = guest.stop(index, true);
            assertThat(base).isZero();
            assertThat(guest.queues[index].used()).isEmpty();

            guest.start(index, base);
            guest.process(index);
            assertThat(guest.queues[index].used()).hasSize(index == INFLATE ? 2 : 1);
        }
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(50_000);
    }

    @Test
    @Tag("BAL-STEP-2")
    void aResetForgetsTheChainInHand() {
        guest.queues[INFLATE].addPfns(everyOther(50_000));
        assertThat(guest.processOnce(INFLATE)).isTrue();
        guest.stop(false);
        guest.balloon.reset();
        guest.queues[INFLATE].driverStartsAnew();
        guest.start(INFLATE, 0);

        guest.inflate(FIRST + 1);
        assertThat(guest.queues[INFLATE].used()).hasSize(1);
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(1);
    }

    @Test
    @Tag("BAL-STEP-2")
    void aConnectionLostWithAChainInHandCostsNothingOfTheBalloon() {
        guest.inflate(FIRST + 1);
        guest.queues[INFLATE].addPfns(FIRST);
        guest.queues[INFLATE].addPfns(everyOther(50_000));
        assertThat(guest.processOnce(INFLATE)).isTrue();
        guest.stop(false);
        guest.balloon.disconnected();

        // A front-end without in-flight memory continues after the used chains.
        guest.balloon.connected(guest);
        guest.start(INFLATE, 1);
        guest.process(INFLATE);
        assertThat(guest.queues[INFLATE].used()).hasSize(3);
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(50_001);
    }

    @Test
    void memoryThatGoesWhileAChainIsInHandIsNotTouchedAnyMore() {
        // The page numbers are in the memory that is removed.
        int numbers = 1 << 20;
        for (int i = 0; i < numbers; i++) {
            large.segment().set(JAVA_INT, 4L * i, FIRST + (1 << 18) + i);
        }
        guest.queues[INFLATE].add(new TestQueue.Piece(START, 4L * numbers, false));
        assertThat(guest.processOnce(INFLATE)).isTrue();
        guest.ram.memory().remove(large);
        guest.balloon.memoryChanged();

        guest.process(INFLATE);
        assertThat(guest.queues[INFLATE].used()).hasSize(1);
        assertThat(guest.balloon.freePages().ignoredPages()).isPositive();
    }

    @Test
    void pagesOfAnotherDriverAreForgottenInPartsBeforeAQueueIsServed() throws LinuxException {
        for (int gib = 0; gib < 200; gib++) {
            guest.ram.add((long) (16 + gib) * GIB, 4096, 0, SharedFile.memfd("page", 4096));
            guest.inflate((16 + gib) << 18);
        }
        int[] bases = guest.stop(true);
        assertThat(bases[INFLATE]).isEqualTo(200);
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(200);
        guest.queues[INFLATE].driverStartsAnew();
        guest.queues[INFLATE].addPfns(FIRST);
        guest.start(INFLATE, 0);

        assertThat(guest.queues[INFLATE].used())
                .as("not before all is forgotten")
                .isEmpty();
        assertThat(guest.balloon.pagesInBalloon()).isZero();
        assertThat(processInShortSteps(INFLATE)).isGreaterThan(1);
        assertThat(guest.queues[INFLATE].used()).hasSize(1);
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(1);
    }
}
