package org.exomem.mem;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.OptionalInt;
import org.exomem.linux.HugePages;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class PatrolTest {
    private static final long MIB = 1 << 20;
    private static final long BLOCK = 2 * MIB;
    private static final long ADDRESS = 4L << 30;
    private static final int BLOCKS = 32;
    private static final long LONG_ENOUGH = Long.MAX_VALUE / 2;

    private final MemoryRegionPlan plan = new MemoryRegionPlan(ADDRESS, BLOCKS * BLOCK, BLOCK, OptionalInt.empty());
    private final BlockMap blocks = new BlockMap(BLOCKS);
    private final GuestMemory memory = new GuestMemory();
    private long ticks;
    private final Patrol patrol = new Patrol(plan, blocks, () -> ticks++);

    @AfterEach
    void close() {
        memory.close();
    }

    private MemoryRegion region(long address, long size) throws LinuxException {
        // Other content comes first in the file, so that offsets and addresses differ.
        SharedFile file = SharedFile.memfd("ram", size + MIB);
        MemoryRegion region = MemoryRegion.map(address, size, address, MIB, file);
        memory.add(region);
        return region;
    }

    private static void write(MemoryRegion region, long address, long length) {
        region.segment().asSlice(address - region.guestAddress(), length).fill((byte) 1);
    }

    private Patrol.Round round(boolean punch) throws LinuxException {
        Patrol.Round round = patrol.slice(memory, punch, LONG_ENOUGH);
        assertThat(round).as("a whole round in one slice").isNotNull();
        return round == null ? new Patrol.Round(-1, -1, -1) : round;
    }

    private static long block(long index) {
        return ADDRESS + index * BLOCK;
    }

    @Test
    void emptyRegionIsOneSystemCall() throws LinuxException {
        region(ADDRESS, plan.size());
        ticks = 0;
        Patrol.Round round = round(true);
        assertThat(round.bytes()).isZero();
        assertThat(round.blocks()).isZero();
        assertThat(ticks).as("steps, each of which looks at the clock").isLessThan(6);
    }

    @Test
    @Tag("MEM-VIO-1")
    @Tag("MEM-VIO-2")
    void dataInUnpluggedBlocksIsFoundCountedAndPunched() throws LinuxException {
        MemoryRegion region = region(ADDRESS, plan.size());
        write(region, block(3) + 8192, 4096);
        write(region, block(3) + MIB, 12288);
        write(region, block(7) - 4096, 8192);
        Patrol.Round round = round(true);
        assertThat(round.bytes()).isEqualTo(4096 + 12288 + 8192);
        assertThat(round.blocks()).as("blocks 3, 6 and 7").isEqualTo(3);
        assertThat(region.file().allocatedBytes()).isZero();
        assertThat(round(true).bytes()).isZero();
        assertThat(region.segment().get(JAVA_BYTE, 3 * BLOCK + 8192)).isZero();
    }

    @Test
    @Tag("MEM-VIO-4")
    void readingAHoleAllocatesAPageAndIsFoundToo() throws LinuxException {
        MemoryRegion region = region(ADDRESS, plan.size());
        assertThat(region.segment().get(JAVA_BYTE, 3 * BLOCK)).isZero();
        assertThat(round(true).bytes()).isEqualTo(4096);
    }

    @Test
    @Tag("MEM-BLK-1")
    void pluggedBlocksAreLeftAlone() throws LinuxException {
        MemoryRegion region = region(ADDRESS, plan.size());
        blocks.set(4, 5, true);
        write(region, block(4), 5 * BLOCK);
        assertThat(round(true).bytes()).isZero();
        assertThat(region.file().allocatedBytes()).isEqualTo(5 * BLOCK);
    }

    @Test
    void dataThatGoesOnIntoAPluggedBlockIsPunchedUpToThere() throws LinuxException {
        MemoryRegion region = region(ADDRESS, plan.size());
        blocks.set(4, 1, true);
        write(region, block(4) - 8192, BLOCK + 16384);
        Patrol.Round round = round(true);
        assertThat(round.bytes()).isEqualTo(16384);
        assertThat(round.blocks()).isEqualTo(2);
        assertThat(region.segment().get(JAVA_BYTE, 4 * BLOCK)).isEqualTo((byte) 1);
        assertThat(region.segment().get(JAVA_BYTE, 5 * BLOCK - 1)).isEqualTo((byte) 1);
        assertThat(region.file().allocatedBytes()).isEqualTo(BLOCK);
    }

    @Test
    @Tag("MEM-VIO-2")
    void withoutPunchingItIsFoundAgainAndStays() throws LinuxException {
        MemoryRegion region = region(ADDRESS, plan.size());
        write(region, block(9), 4096);
        assertThat(round(false).bytes()).isEqualTo(4096);
        assertThat(round(false).bytes()).isEqualTo(4096);
        assertThat(region.segment().get(JAVA_BYTE, 9 * BLOCK)).isEqualTo((byte) 1);
    }

    @Test
    void whatLiesOutsideOfTheRegionIsNotLookedAt() throws LinuxException {
        MemoryRegion region = region(ADDRESS - 4 * MIB, plan.size() + 8 * MIB);
        write(region, ADDRESS - 4096, 4096);
        write(region, ADDRESS + plan.size(), 4096);
        assertThat(round(true).bytes()).isZero();
        assertThat(region.file().allocatedBytes()).isEqualTo(8192);
    }

    @Test
    void partsThatAreNotSharedAreSkipped() throws LinuxException {
        MemoryRegion first = region(block(2), 2 * BLOCK);
        MemoryRegion second = region(block(20), 3 * BLOCK);
        write(first, block(3), 4096);
        write(second, block(22), 8192);
        assertThat(round(true).bytes()).isEqualTo(12288);
        assertThat(first.file().allocatedBytes() + second.file().allocatedBytes())
                .isZero();
    }

    @Test
    void nothingSharedIsNothingFound() throws LinuxException {
        assertThat(round(true).bytes()).isZero();
    }

    @Test
    @Tag("MEM-VIO-3")
    void roundInSmallSlicesFindsTheSame() throws LinuxException {
        MemoryRegion region = region(ADDRESS, plan.size());
        write(region, block(1), BLOCK);
        write(region, block(30) + 4096, 40960);
        blocks.set(5, 3, true);
        int slices = 1;
        Patrol.Round round = patrol.slice(memory, true, 10);
        while (round == null) {
            round = patrol.slice(memory, true, 10);
            slices++;
        }
        assertThat(slices).isGreaterThan(20);
        assertThat(round.bytes()).isEqualTo(BLOCK + 40960);
        assertThat(round.blocks()).isEqualTo(2);
        assertThat(region.file().allocatedBytes()).isZero();
    }

    @Test
    @Tag("MEM-VIO-5")
    void hugePagesThatCameBackAreFoundByPunching() throws IOException {
        try (HugePages pages = HugePages.reserve(BLOCKS)) {
            MemoryRegion region = MemoryRegion.map(
                    ADDRESS, plan.size(), ADDRESS, 0, SharedFile.hugeMemfd("huge", plan.size(), HugePages.SIZE));
            memory.add(region);
            blocks.set(0, 2, true);
            write(region, block(0), 4 * BLOCK);
            assertThat(round(false).bytes()).as("can't be seen").isZero();
            Patrol.Round round = round(true);
            assertThat(round.bytes()).isEqualTo(2 * BLOCK);
            assertThat(round.blocks()).isEqualTo(2);
            assertThat(region.file().allocatedBytes()).isEqualTo(2 * BLOCK);
            memory.close();
        }
    }
}
