package org.exomem.mem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.OptionalInt;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class MemoryRegionPlanTest {
    private static final long MIB = 1 << 20;
    private static final long GIB = 1L << 30;

    private static MemoryRegionPlan plan(long address, long size, long block) {
        return new MemoryRegionPlan(address, size, block, OptionalInt.empty());
    }

    @Test
    @Tag("MEM-CFG-1")
    @Tag("MEM-CFG-8")
    void valuesThatADriverCouldNotUseAreRefusedByName() {
        assertThatThrownBy(() -> plan(0, GIB, 3 * MIB)).hasMessageContaining("block size 3 MiB is not a power of two");
        assertThatThrownBy(() -> plan(0, GIB, MIB / 2)).hasMessageContaining("at least 1 MiB");
        assertThatThrownBy(() -> plan(0, GIB + MIB, 2 * MIB)).hasMessageContaining("region size");
        assertThatThrownBy(() -> plan(0, 0, 2 * MIB)).hasMessageContaining("region size 0");
        assertThatThrownBy(() -> plan(MIB, GIB, 2 * MIB)).hasMessageContaining("address 0x100000");
        assertThatThrownBy(() -> plan(1L << 48, GIB, 2 * MIB)).hasMessageContaining("above 2^48");
        assertThatThrownBy(() -> new MemoryRegionPlan(0, GIB, MIB, OptionalInt.of(65_536)))
                .hasMessageContaining("node 65536");
    }

    @Test
    @Tag("MEM-CFG-7")
    void theUsableRegionIsSomewhatLargerThanWhatIsRequested() {
        MemoryRegionPlan plan = plan(4 * GIB, 2 * GIB, 4 * MIB);
        assertThat(plan.usableSize(0)).isZero();
        assertThat(plan.usableSize(4 * MIB)).isEqualTo(260 * MIB);
        assertThat(plan.usableSize(2 * GIB)).isEqualTo(2 * GIB);
        assertThat(plan.usableSize(2 * GIB - 100 * MIB)).isEqualTo(2 * GIB);
        assertThat(plan(0, 8 * GIB, GIB).usableSize(GIB)).isEqualTo(2 * GIB);
    }

    @Test
    void onlyWholeBlocksUpToTheRegionCanBeRequested() {
        MemoryRegionPlan plan = plan(0, GIB, 4 * MIB);
        plan.checkRequested(0);
        plan.checkRequested(GIB);
        assertThatThrownBy(() -> plan.checkRequested(MIB)).hasMessageContaining("not a multiple of the block size");
        assertThatThrownBy(() -> plan.checkRequested(GIB + 4 * MIB)).hasMessageContaining("not from 0 to 1 GiB");
        assertThatThrownBy(() -> plan.checkRequested(-4 * MIB)).hasMessageContaining("not from 0 to");
    }
}
