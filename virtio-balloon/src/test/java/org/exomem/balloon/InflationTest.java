package org.exomem.balloon;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.exomem.balloon.TestGuest.DEFLATE;
import static org.exomem.balloon.TestGuest.INFLATE;
import static org.exomem.balloon.TestGuest.range;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import org.exomem.balloon.TestGuest.News;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.pages.PageFeed;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class InflationTest {
    private static final int MIB = 1 << 20;
    private static final int PAGES_IN_MIB = 256;
    private static final long START = 0x10_0000;
    private static final int FIRST = 0x100;

    private TestGuest guest;
    private MemoryRegion region;

    @BeforeEach
    void start() throws LinuxException {
        guest = TestGuest.started();
        region = guest.ram.filled(START, 16 * MIB);
        guest.news();
    }

    @AfterEach
    void close() {
        guest.close();
    }

    @Test
    @Tag("BAL-CFG-1")
    void inflatedPagesGoBackToTheHostAndNoOthers() throws LinuxException {
        guest.inflate(range(FIRST + PAGES_IN_MIB, 2 * PAGES_IN_MIB));

        assertThat(region.file().allocatedBytes()).isEqualTo(14L * MIB);
        assertThat(region.segment().asSlice(0, MIB).toArray(JAVA_BYTE)).containsOnly(0x5a);
        assertThat(region.segment().asSlice(3 * MIB, MIB).toArray(JAVA_BYTE)).containsOnly(0x5a);
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(2 * PAGES_IN_MIB);
        assertThat(guest.balloon.freePages().discardedBytes()).isEqualTo(2 * MIB);
    }

    @Test
    @Tag("BAL-INF-1")
    void chainsComeBackOnlyAfterTheDiscard() {
        guest.inflate(range(FIRST, 256));

        assertThat(guest.punched).hasSize(1);
        assertThat(guest.punched.getFirst().usedBefore()).isZero();
        assertThat(guest.queues[INFLATE].used()).hasSize(1);
    }

    @Test
    void ascendingPagesAreOneCall() {
        guest.inflate(range(FIRST, 256));

        assertThat(guest.punched).hasSize(1);
        assertThat(guest.punched.getFirst().length()).isEqualTo(MIB);
    }

    @Test
    void descendingPagesAreOneCall() {
        int[] pfns = range(FIRST, 256);
        for (int i = 0; i < 128; i++) {
            int other = pfns[255 - i];
            pfns[255 - i] = pfns[i];
            pfns[i] = other;
        }

        guest.inflate(pfns);

        assertThat(guest.punched).hasSize(1);
        assertThat(guest.punched.getFirst().length()).isEqualTo(MIB);
    }

    @Test
    void pagesInNoOrderAreOneCallForEachRun() {
        List<Integer> pages = new ArrayList<>();
        for (int i = 0; i < 256; i++) {
            pages.add(FIRST + i);
            pages.add(FIRST + 512 + i);
        }
        Collections.shuffle(pages, new Random(7));

        guest.inflate(pages.stream().mapToInt(Integer::intValue).toArray());

        assertThat(guest.punched)
                .hasSize(2)
                .allSatisfy(call -> assertThat(call.length()).isEqualTo(MIB));
        assertThat(guest.news())
                .containsExactly(
                        new News(PageFeed.Kind.INFLATED, 0, START, MIB),
                        new News(PageFeed.Kind.INFLATED, 0, START + 2 * MIB, MIB));
    }

    @Test
    void runsReachOverAllChainsThatAreAvailable() {
        for (int i = 7; i >= 0; i--) {
            guest.queues[INFLATE].addPfns(range(FIRST + i * 256, 256));
        }
        guest.process(INFLATE);

        assertThat(guest.punched).hasSize(1);
        assertThat(guest.punched.getFirst().length()).isEqualTo(8 * MIB);
        assertThat(guest.punched.getFirst().usedBefore()).isZero();
        assertThat(guest.queues[INFLATE].used()).hasSize(8);
    }

    @Test
    void moreChainsThanAreGatheredAtOnceAllComeBackInOrder() {
        List<Integer> heads = new ArrayList<>();
        for (int i = 0; i < 1000; i++) {
            heads.add(guest.queues[INFLATE].addPfns(FIRST + i));
        }
        guest.process(INFLATE);

        assertThat(guest.queues[INFLATE].used()).isEqualTo(heads);
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(1000);
    }

    @Test
    @Tag("BAL-INF-2")
    void aBufferLargerThanABatchIsDoneInParts() throws LinuxException {
        int pages = 2 * PfnBatch.LIMIT + 17;
        SharedFile large = SharedFile.memfd("large", (long) pages << 12);
        guest.ram.add(1L << 32, (long) pages << 12, 0, large);
        guest.queues[INFLATE].addPfns(FIRST);
        int head = guest.queues[INFLATE].addPfns(range(1 << 20, pages));
        guest.queues[INFLATE].addPfns(FIRST + 1);

        guest.process(INFLATE);

        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(pages + 2);
        assertThat(guest.queues[INFLATE].used()).containsExactly(0, head, 2);
        assertThat(guest.punched.stream()
                        .filter(call -> call.usedBefore() >= 2)
                        .map(TestGuest.Punched::file)
                        .collect(Collectors.toSet()))
                .as("files punched after the large buffer went back")
                .doesNotContain(large);
    }

    @Test
    void aGreatManyPageNumbersTakeSeveralPassesOfTheLoop() throws LinuxException {
        int pages = 1 << 18;
        guest.ram.add(1L << 32, (long) pages << 12, 0, SharedFile.memfd("large", (long) pages << 12));
        guest.queues[INFLATE].addPfns(range(1 << 20, pages));
        guest.queues[INFLATE].addPfns(FIRST);

        int steps = guest.steps;
        guest.process(INFLATE);
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(pages + 1);
        assertThat(guest.steps - steps).isGreaterThan(2);
    }

    @Test
    @Tag("BAL-INF-6")
    void aPageNamedTwiceCountsOnce() {
        guest.inflate(FIRST, FIRST, FIRST + 1, FIRST, FIRST + 1);
        guest.inflate(FIRST + 1);

        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(2);
    }

    @Test
    void pageNumbersMayBeCutByTheBorderOfTwoBuffers() {
        byte[] bytes = TestQueue.littleEndian(range(FIRST, 4));
        TestQueue queue = guest.queues[INFLATE];
        queue.add(
                queue.readable(Arrays.copyOfRange(bytes, 0, 5)),
                queue.readable(Arrays.copyOfRange(bytes, 5, 6)),
                queue.readable(Arrays.copyOfRange(bytes, 6, 15)),
                queue.readable(Arrays.copyOfRange(bytes, 15, 16)));
        guest.process(INFLATE);

        assertThat(guest.news()).containsExactly(new News(PageFeed.Kind.INFLATED, 0, START, 4 * 4096));
    }

    @Test
    void regionsThatAreNeighboursInTheirFileShareACall() throws LinuxException {
        SharedFile file = SharedFile.memfd("two regions", 8 * MIB);
        file.allocate(0, 8 * MIB);
        SharedFile again = new SharedFile(file.fd().duplicate());
        guest.ram.add(3L << 30, 4 * MIB, 0, file);
        guest.ram.add(4L << 30, 4 * MIB, 4 * MIB, again);
        guest.queues[INFLATE].addPfns(range((3 << 18) + 3 * PAGES_IN_MIB, PAGES_IN_MIB));
        guest.queues[INFLATE].addPfns(range(4 << 18, PAGES_IN_MIB));

        guest.process(INFLATE);

        assertThat(guest.punched).hasSize(1);
        assertThat(guest.punched.getFirst().offset()).isEqualTo(3 * MIB);
        assertThat(guest.punched.getFirst().length()).isEqualTo(2 * MIB);
        assertThat(file.allocatedBytes()).isEqualTo(6 * MIB);
    }

    @Test
    void neighboursInGuestMemoryOfDifferentFilesAreACallEach() throws LinuxException {
        MemoryRegion other = guest.ram.filled(START + 16 * MIB, MIB);

        guest.inflate(range(FIRST + 15 * PAGES_IN_MIB, 2 * PAGES_IN_MIB));

        assertThat(guest.punched).hasSize(2);
        assertThat(other.file().allocatedBytes()).isZero();
        assertThat(region.file().allocatedBytes()).isEqualTo(15 * MIB);
    }

    @Test
    @Tag("BAL-INF-3")
    void deflatedPagesLeaveTheBalloonAndAreNotTouched() {
        guest.inflate(range(FIRST, 8));
        guest.punched.clear();
        guest.news();

        guest.deflate(FIRST + 2, FIRST + 1, FIRST + 2);

        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(6);
        assertThat(guest.punched).isEmpty();
        assertThat(guest.news()).containsExactly(new News(PageFeed.Kind.DEFLATED, 0, START + 4096, 2 * 4096));
        assertThat(guest.queues[DEFLATE].used()).hasSize(1);
    }

    @Test
    void aPageThatWasUsedAfterDeflationIsDiscardedWhenItComesAgain() throws LinuxException {
        guest.inflate(range(FIRST, PAGES_IN_MIB));
        guest.deflate(range(FIRST, PAGES_IN_MIB));
        region.segment().asSlice(0, MIB).fill((byte) 1);

        guest.inflate(range(FIRST, PAGES_IN_MIB));

        assertThat(region.file().allocatedBytes()).isEqualTo(15 * MIB);
    }

    @Test
    @Tag("BAL-INF-6")
    void pagesThatWereNeverInTheBalloonMayBeDeflated() {
        guest.deflate(range(FIRST, 8));

        assertThat(guest.balloon.pagesInBalloon()).isZero();
    }

    @Test
    void pagesOfMemoryThatHasGoneMayBeDeflated() throws LinuxException {
        MemoryRegion gone = guest.ram.filled(1L << 32, MIB);
        guest.inflate(range(1 << 20, 8));
        guest.ram.memory().remove(gone);

        guest.deflate(range(1 << 20, 8));

        assertThat(guest.balloon.pagesInBalloon()).isZero();
        assertThat(guest.balloon.freePages().ignoredPages()).isZero();
        guest.deflate(1 << 20);
        assertThat(guest.balloon.freePages().ignoredPages()).isEqualTo(1);
    }

    @Test
    @Tag("BAL-INF-4")
    void aPageThatIsNotSharedIsLeftAloneCountedAndNamedAndTheRestIsServed() {
        guest.inflate(FIRST, 0xffff_ffff, FIRST + 2);
        guest.deflate(FIRST - 1, FIRST);

        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(1);
        assertThat(guest.punched).hasSize(2);
        assertThat(guest.queues[INFLATE].used()).hasSize(1);
        assertThat(guest.queues[DEFLATE].used()).hasSize(1);
        assertThat(guest.balloon.freePages().ignoredPages()).isEqualTo(2);
        assertThat(guest.driverFaults)
                .as("told, and not again within a second")
                .singleElement()
                .asString()
                .contains("4294967295", "0xffffffff000", "the queue continues");
    }

    @Test
    @Tag("BAL-INF-4")
    void theLastPageOfMemoryIsInItAndTheNextIsNot() {
        guest.inflate(FIRST + 16 * PAGES_IN_MIB - 1, FIRST + 16 * PAGES_IN_MIB);

        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(1);
        assertThat(guest.balloon.freePages().ignoredPages()).isEqualTo(1);
    }

    @Test
    void chainsBeforeAFaultyOneHaveTheirEffect() {
        guest.queues[INFLATE].addPfns(FIRST);
        byte[] tooMany = new byte[4 << 20];
        TestQueue queue = guest.queues[INFLATE];
        queue.add(Collections.nCopies(5, queue.readable(tooMany)));

        assertThatThrownBy(() -> guest.process(INFLATE)).isInstanceOf(DriverFault.class);

        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(1);
        assertThat(guest.punched).hasSize(1);
        assertThat(guest.queues[INFLATE].used()).containsExactly(0);
    }

    @Test
    @Tag("BAL-INF-7")
    void whatABufferHasBehindItsLastWholePageNumberIsLeftAlone() {
        TestQueue queue = guest.queues[INFLATE];
        queue.add(queue.readable(Arrays.copyOf(TestQueue.littleEndian(FIRST), 6)));
        queue.add(queue.readable(new byte[3]));
        queue.addPfns(FIRST + 1);
        guest.process(INFLATE);

        assertThat(queue.used()).hasSize(3);
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(2);
        assertThat(guest.balloon.freePages().ignoredPages()).isEqualTo(2);
        assertThat(guest.driverFaults).singleElement().asString().contains("2 buffers", "not a multiple of 4");
    }

    @Test
    void aChainWithoutPagesJustComesBack() {
        guest.queues[INFLATE].add(TestQueue.writable(TestRam.OWN, 64));
        guest.process(INFLATE);

        assertThat(guest.queues[INFLATE].used()).hasSize(1);
        assertThat(guest.punched).isEmpty();
    }

    @Test
    void withoutDiscardingPagesAreCountedAndToldOnly() throws LinuxException {
        try (TestGuest keeping =
                new TestGuest(new BalloonOptions(true, true, true, true, true, true, FreePageRequests.BITMAP, false))) {
            keeping.start(TestGuest.ALL_FEATURES, 5);
            MemoryRegion kept = keeping.ram.filled(START, MIB);
            keeping.inflate(range(FIRST, 256));

            assertThat(kept.file().allocatedBytes()).isEqualTo(MIB);
            assertThat(keeping.balloon.pagesInBalloon()).isEqualTo(256);
            assertThat(keeping.news()).contains(new News(PageFeed.Kind.INFLATED, 0, START, MIB));
            assertThat(keeping.balloon.freePages().discardedBytes()).isZero();
        }
    }

    @Test
    void aFailingDiscardIsTheHostsFaultToldOnceAndTheGuestGoesOn() {
        guest.punchFailure = new LinuxException("fallocate", "ram", Errno.EPERM);
        guest.inflate(FIRST);
        guest.inflate(FIRST + 2, FIRST + 4);

        assertThat(guest.hostFaults).singleElement().asString().contains("EPERM", "the guest continues");
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(3);
        assertThat(guest.queues[INFLATE].used()).hasSize(2);
        assertThat(guest.balloon.freePages().discardedBytes()).isZero();

        guest.punchFailure = new LinuxException("fallocate", "ram", Errno.EOPNOTSUPP);
        guest.inflate(FIRST + 6);

        assertThat(guest.hostFaults).hasSize(2);
    }

    @Test
    @Tag("BAL-INF-3")
    void randomInflationAndDeflationKeepTheCountAndTheFileExact() throws LinuxException {
        long seed = 20261120;
        Random random = new Random(seed);
        Set<Integer> expected = new HashSet<>();
        for (int round = 0; round < 200; round++) {
            int[] pfns = random.ints(1 + random.nextInt(300), FIRST, FIRST + 16 * PAGES_IN_MIB)
                    .toArray();
            if (random.nextInt(3) < 2) {
                guest.inflate(pfns);
                for (int pfn : pfns) {
                    expected.add(pfn);
                }
            } else {
                guest.deflate(pfns);
                for (int pfn : pfns) {
                    expected.remove(pfn);
                    region.segment().set(JAVA_BYTE, (pfn - FIRST) * 4096L, (byte) 1);
                }
            }
            assertThat(guest.balloon.pagesInBalloon())
                    .as("seed " + seed + ", round " + round)
                    .isEqualTo(expected.size());
        }
        assertThat(region.file().allocatedBytes()).as("seed " + seed).isEqualTo(16L * MIB - expected.size() * 4096L);
    }
}
