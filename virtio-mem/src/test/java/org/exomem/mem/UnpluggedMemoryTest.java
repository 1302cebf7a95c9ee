package org.exomem.mem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.ArgumentMatchers.anyLong;
import static org.mockito.Mockito.doCallRealMethod;
import static org.mockito.Mockito.doThrow;
import static org.mockito.Mockito.spy;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.OptionalInt;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.backend.DeviceLink;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class UnpluggedMemoryTest {
    private static final long MIB = 1 << 20;
    private static final long ADDRESS = 4L << 30;
    private static final long SIZE = 8 * MIB;

    private final GuestMemory memory = new GuestMemory();
    private final List<String> faults = new ArrayList<>();
    private final Deque<Runnable> slices = new ArrayDeque<>();
    private final KeptBlocks kept =
            KeptBlocks.ofHeap(new MemoryRegionPlan(ADDRESS, SIZE, 2 * MIB, OptionalInt.empty()));
    private final UnpluggedMemory unplugged = new UnpluggedMemory(kept);
    private final DeviceLink link = new Link();
    private SharedFile file;

    @BeforeEach
    void share() throws LinuxException {
        // Simulated answers of the host: a file system that refuses to punch is not always available.
        file = spy(SharedFile.memfd("ram", SIZE));
        memory.add(MemoryRegion.map(ADDRESS, SIZE, ADDRESS, 0, file));
        kept.keepKnown();
    }

    @AfterEach
    void close() {
        memory.close();
    }

    private void hostRefuses() throws LinuxException {
        doThrow(new LinuxException("fallocate", "ram", Errno.EINVAL)).when(file).punchHole(anyLong(), anyLong());
    }

    private void hostPunches() throws LinuxException {
        doCallRealMethod().when(file).punchHole(anyLong(), anyLong());
    }

    private void empty() {
        StepBudget budget = new StepBudget();
        unplugged.begin();
        do {
            budget.begin();
        } while (!unplugged.goOn(link, budget));
    }

    @Test
    void hostThatRefusesIsToldOfOnceUntilItWorksAgain() throws LinuxException {
        hostRefuses();
        empty();
        empty();
        assertThat(unplugged.isEmptied()).isFalse();
        assertThat(faults)
                .singleElement()
                .asString()
                .contains("could not be returned to the host")
                .contains("EINVAL");

        hostPunches();
        empty();
        assertThat(unplugged.isEmptied()).isTrue();
        assertThat(faults).hasSize(1);

        hostRefuses();
        empty();
        empty();
        assertThat(faults).hasSize(2);
    }

    @Test
    void nothingIsEmptiedWhileBlocksMayBePluggedThatNobodyKnowsOf() throws LinuxException {
        kept.forgetKnown();
        memory.regions().getFirst().segment().fill((byte) 1);
        empty();
        assertThat(unplugged.isEmptied()).isFalse();
        assertThat(file.allocatedBytes()).isEqualTo(SIZE);
    }

    private final class Link implements DeviceLink {
        @Override
        public GuestMemory memory() {
            return memory;
        }

        @Override
        public void configChanged() {}

        @Override
        public boolean mayPush(Virtqueue queue) {
            return false;
        }

        @Override
        public void callIfWanted(Virtqueue queue) {}

        @Override
        public void processAgain(Virtqueue queue) {}

        @Override
        public void later(Runnable task) {
            slices.add(task);
        }

        @Override
        public void driverFault(String what) {
            faults.add(what);
        }

        @Override
        public void hostFault(String what) {
            faults.add(what);
        }
    }
}
