package org.exomem.balloon;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.exomem.balloon.TestGuest.range;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Memory of huge pages: a host page is discarded when all its parts are in the balloon, and not before. */
class HugePagesTest {
    private static final String RESERVED = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
    private static final String FREE = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";
    private static final int NEEDED = 8;
    private static final long HUGE = 2 << 20;
    private static final int PARTS = 512;
    private static final long START = 1L << 32;
    private static final int FIRST = 1 << 20;

    private HostSetting reserved;
    private TestGuest guest;

    @BeforeEach
    void start() throws IOException {
        assumeTrue(Files.exists(Path.of(RESERVED)), "needs a kernel with huge pages");
        long before = HostSetting.number(RESERVED);
        reserved = HostSetting.of(RESERVED, Long.toString(before + NEEDED), NEEDED + " huge pages");
        guest = TestGuest.started();
        assumeTrue(
                HostSetting.number(FREE) >= NEEDED, "needs " + NEEDED + " huge pages, the host could not reserve them");
    }

    @AfterEach
    void close() throws IOException {
        if (guest != null) {
            guest.close();
        }
        if (reserved != null) {
            reserved.close();
        }
    }

    private SharedFile file(int hugePages) throws LinuxException {
        return SharedFile.hugeMemfd("huge", hugePages * HUGE, HUGE);
    }

    private MemoryRegion region(int hugePages) throws LinuxException {
        MemoryRegion region = guest.ram.add(START, hugePages * HUGE, 0, file(hugePages));
        region.segment().fill((byte) 1);
        return region;
    }

    @Test
    @Tag("BAL-INF-5")
    void aHostPageGoesWithItsLastPartInWhateverOrderTheyCome() throws LinuxException {
        MemoryRegion region = region(4);
        List<Integer> parts = new ArrayList<>();
        for (int i = 0; i < PARTS; i++) {
            parts.add(FIRST + PARTS + i);
        }
        Collections.shuffle(parts, new Random(3));
        for (int part : parts.subList(0, PARTS - 1)) {
            guest.inflate(part);
        }
        assertThat(guest.punched).isEmpty();
        assertThat(region.file().allocatedBytes()).isEqualTo(4 * HUGE);

        guest.inflate(parts.getLast());

        assertThat(guest.punched).hasSize(1);
        assertThat(region.file().allocatedBytes()).isEqualTo(3 * HUGE);
        assertThat(region.segment().get(JAVA_BYTE, HUGE - 1)).isEqualTo((byte) 1);
        assertThat(region.segment().get(JAVA_BYTE, 2 * HUGE)).isEqualTo((byte) 1);
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(PARTS);
        assertThat(guest.balloon.freePages().discardedBytes()).isEqualTo(HUGE);
    }

    @Test
    void aRunAcrossHostPagesTakesTheWholeOnesInOneCall() throws LinuxException {
        MemoryRegion region = region(4);

        guest.inflate(range(FIRST + 1, 3 * PARTS));

        assertThat(guest.punched).hasSize(1);
        assertThat(guest.punched.getFirst().offset()).isEqualTo(HUGE);
        assertThat(guest.punched.getFirst().length()).isEqualTo(2 * HUGE);
        assertThat(region.file().allocatedBytes()).isEqualTo(2 * HUGE);

        guest.inflate(FIRST);
        guest.inflate(range(FIRST + 3 * PARTS + 1, PARTS - 1));
        assertThat(region.file().allocatedBytes()).isZero();
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(4 * PARTS);
    }

    @Test
    @Tag("BAL-INF-5")
    void aPartThatWasTakenOutKeepsTheHostPage() throws LinuxException {
        MemoryRegion region = region(1);
        guest.inflate(range(FIRST, PARTS - 1));
        guest.deflate(FIRST + 7);
        guest.inflate(FIRST + PARTS - 1);
        assertThat(region.file().allocatedBytes()).isEqualTo(HUGE);
        assertThat(region.segment().get(JAVA_BYTE, 7 * 4096)).isEqualTo((byte) 1);

        guest.inflate(FIRST + 7);

        assertThat(region.file().allocatedBytes()).isZero();
    }

    @Test
    void aPartThatWasUsedAfterTheHostPageHadGoneMakesItComeAndGoAgain() throws LinuxException {
        MemoryRegion region = region(1);
        guest.inflate(range(FIRST, PARTS));
        guest.deflate(FIRST);
        region.segment().set(JAVA_BYTE, 0, (byte) 1);
        assertThat(region.file().allocatedBytes()).isEqualTo(HUGE);

        guest.inflate(FIRST);

        assertThat(region.file().allocatedBytes()).isZero();
    }

    @Test
    @Tag("BAL-FEAT-2")
    void aDriverThatNeedNotTellLosesHostPagesOnlyWhoseAllPartsComeTogether() throws LinuxException {
        guest.reboot(TestGuest.ALL_FEATURES & ~BalloonFeatures.MUST_TELL_HOST);
        MemoryRegion region = region(2);
        guest.balloon.memoryChanged();
        guest.inflate(range(FIRST, PARTS - 1));
        // The driver may already use earlier pages again, and report that later.
        guest.inflate(FIRST + PARTS - 1);
        assertThat(region.file().allocatedBytes()).isEqualTo(2 * HUGE);

        guest.queues[0].addPfns(range(FIRST + PARTS + 256, 256));
        guest.inflate(range(FIRST + PARTS, 256));

        assertThat(region.file().allocatedBytes()).isEqualTo(HUGE);
        assertThat(region.segment().get(JAVA_BYTE, 0)).isEqualTo((byte) 1);
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(2 * PARTS);
    }

    @Test
    void aHostPageThatTwoRegionsShareGoesWithThePartsOfBoth() throws LinuxException {
        SharedFile file = file(2);
        file.allocate(0, 2 * HUGE);
        guest.ram.add(START, HUGE + HUGE / 2, 0, file);
        guest.ram.add(
                2 * START, HUGE / 2, HUGE + HUGE / 2, new SharedFile(file.fd().duplicate()));
        guest.inflate(range(FIRST + PARTS, PARTS / 2));
        assertThat(file.allocatedBytes()).isEqualTo(2 * HUGE);

        guest.inflate(range(2 * FIRST, PARTS / 2));

        assertThat(file.allocatedBytes()).isEqualTo(HUGE);
    }

    @Test
    void aHostPageOfWhichAPartIsNotGuestMemoryStays() throws LinuxException {
        SharedFile file = file(1);
        file.allocate(0, HUGE);
        guest.ram.add(START, HUGE / 2, 0, file);

        guest.inflate(range(FIRST, PARTS / 2));

        assertThat(file.allocatedBytes()).isEqualTo(HUGE);
        assertThat(guest.punched).isEmpty();
    }

    @Test
    void aStaleBalloonNeverCompletesAHostPage() throws LinuxException {
        MemoryRegion region = region(1);
        guest.inflate(range(FIRST, PARTS - 1));
        guest.reboot(TestGuest.ALL_FEATURES);

        guest.inflate(FIRST + PARTS - 1);

        assertThat(region.file().allocatedBytes()).isEqualTo(HUGE);
    }

    @Test
    void reportsDiscardWholeHostPagesOnly() throws LinuxException {
        MemoryRegion region = region(4);
        guest.queues[4].add(
                TestQueue.writable(START + HUGE / 2, HUGE), TestQueue.writable(START + HUGE / 2 + HUGE, HUGE));
        guest.process(4);

        assertThat(guest.punched).hasSize(1);
        assertThat(region.file().allocatedBytes()).isEqualTo(3 * HUGE);
        assertThat(region.segment().get(JAVA_BYTE, HUGE / 2)).isEqualTo((byte) 1);
        assertThat(guest.balloon.freePages().reportedBytes()).isEqualTo(2 * HUGE);
    }

    @Test
    void smallPagesOfATransparentHugePageGoOneByOne() throws IOException {
        try (HostSetting always = HostSetting.of(
                "/sys/kernel/mm/transparent_hugepage/shmem_enabled", "always", "transparent huge pages")) {
            MemoryRegion region = guest.ram.filled(START, 4 * HUGE);
            assumeTrue(region.file().allocatedBytes() == 4 * HUGE, "needs transparent huge pages to be allocated");
            int[] everyOther = new int[PARTS / 2];
            for (int i = 0; i < everyOther.length; i++) {
                everyOther[i] = FIRST + PARTS + 2 * i;
            }
            guest.inflate(everyOther);

            assertThat(guest.punched).hasSize(PARTS / 2);
            // Before anything reads the holes, which would fill them.
            assertThat(region.file().allocatedBytes()).isEqualTo(4 * HUGE - HUGE / 2);
            assertThat(region.segment().get(JAVA_BYTE, HUGE)).isZero();
            assertThat(region.segment().get(JAVA_BYTE, HUGE + 4096)).isEqualTo((byte) 0x5a);
        }
    }
}
