package org.exomem.mem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.OptionalInt;
import org.exomem.linux.HugePages;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class BlockBackingTest {
    private static final long MIB = 1 << 20;
    private static final long ADDRESS = 4L << 30;

    private final GuestMemory memory = new GuestMemory();
    private static final MemoryRegionPlan PLAN = new MemoryRegionPlan(ADDRESS, 8 * MIB, MIB, OptionalInt.empty());

    private final BlockBacking backing = new BlockBacking(PLAN);

    @AfterEach
    void close() {
        memory.close();
    }

    private void share(long address, long size, SharedFile file) throws LinuxException {
        memory.add(MemoryRegion.map(address, size, address, 0, file));
    }

    private void discard(MemoryRegionPlan plan, long first, long count) throws LinuxException {
        HostWork work = new HostWork(plan);
        work.discard(first, count);
        finish(work);
    }

    private void allocate(MemoryRegionPlan plan, long first, long count) throws LinuxException {
        HostWork work = new HostWork(plan);
        work.allocate(first, count);
        finish(work);
    }

    private void finish(HostWork work) throws LinuxException {
        StepBudget budget = new StepBudget();
        do {
            budget.begin();
        } while (!work.goOn(memory, budget));
    }

    @Test
    void memoryThatCoversTheRegionLacksNothing() throws LinuxException {
        share(ADDRESS - 4 * MIB, 8 * MIB, SharedFile.memfd("a", 8 * MIB));
        share(ADDRESS + 4 * MIB, 8 * MIB, SharedFile.memfd("b", 8 * MIB));
        assertThat(backing.missing(memory)).isNull();
        assertThat(backing.covers(memory, 0, 8)).isTrue();
    }

    @Test
    void gapIsToldWithItsAddress() throws LinuxException {
        share(ADDRESS, 4 * MIB, SharedFile.memfd("a", 4 * MIB));
        assertThat(backing.missing(memory))
                .isEqualTo("the VMM shares no memory at 0x100400000, which belongs to the device's region of 8388608"
                        + " bytes at 0x100000000: blocks there can't be plugged");
        assertThat(backing.covers(memory, 0, 4)).isTrue();
        assertThat(backing.covers(memory, 3, 2)).isFalse();
    }

    @Test
    void whatIsSharedOfBlocksIsDiscarded() throws LinuxException {
        SharedFile low = SharedFile.memfd("low", 2 * MIB);
        SharedFile high = SharedFile.memfd("high", 4 * MIB);
        share(ADDRESS + MIB, 2 * MIB, low);
        share(ADDRESS + 6 * MIB, 4 * MIB, high);
        low.allocate(0, 2 * MIB);
        high.allocate(0, 4 * MIB);
        discard(PLAN, 0, 8);
        assertThat(low.allocatedBytes()).isZero();
        assertThat(high.allocatedBytes()).as("behind the region").isEqualTo(2 * MIB);
        discard(PLAN, 3, 3);
        assertThat(high.allocatedBytes()).as("nothing is shared there").isEqualTo(2 * MIB);
    }

    @Test
    @Tag("MEM-CFG-8")
    void pagesLargerThanABlockAreRefusedClearly() throws IOException {
        try (HugePages pages = HugePages.reserve(4)) {
            share(ADDRESS, 8 * MIB, SharedFile.hugeMemfd("huge", 8 * MIB, HugePages.SIZE));
            assertThat(backing.missing(memory))
                    .isEqualTo("the VMM's memory at 0x100000000 has pages of 2097152 bytes, larger than the blocks of"
                            + " 1048576 bytes: no block there can be plugged; use a block size of at least"
                            + " the page size");
            assertThat(backing.covers(memory, 0, 2)).isFalse();
            memory.close();
        }
    }

    @Test
    void hugePagesAreAllocatedBesideSmallOnesUntilTheHostHasNoMore() throws IOException {
        long there = ADDRESS + 8 * MIB;
        MemoryRegionPlan large = new MemoryRegionPlan(there, 16 * MIB, HugePages.SIZE, OptionalInt.empty());
        try (HugePages pages = HugePages.reserve(4)) {
            SharedFile small = SharedFile.memfd("small", 8 * MIB);
            SharedFile huge = SharedFile.hugeMemfd("huge", 16 * MIB, HugePages.SIZE);
            share(ADDRESS, 8 * MIB, small);
            share(there, 16 * MIB, huge);
            assertThat(backing.missing(memory)).isNull();
            assertThat(new BlockBacking(large).missing(memory)).isNull();

            allocate(PLAN, 1, 2);
            allocate(large, 2, 3);
            assertThat(small.allocatedBytes()).isEqualTo(2 * MIB);
            assertThat(huge.allocatedBytes()).isEqualTo(3 * HugePages.SIZE);
            assertThatThrownBy(() -> allocate(large, 5, 3))
                    .isInstanceOf(LinuxException.class)
                    .hasMessageContaining("ENOSPC");

            discard(large, 0, 8);
            assertThat(huge.allocatedBytes()).isZero();
            assertThat(small.allocatedBytes()).as("of the other device").isEqualTo(2 * MIB);
            // Before the pages are returned to the host.
            memory.close();
        }
    }
}
