package org.exomem.mem;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.ArgumentMatchers.anyLong;
import static org.mockito.ArgumentMatchers.longThat;
import static org.mockito.Mockito.doThrow;
import static org.mockito.Mockito.spy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import org.exomem.linux.Errno;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.pages.PageFeed;
import org.exomem.vhostuser.backend.DeviceLink;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.virtqueue.RingArea;
import org.exomem.vhostuser.virtqueue.RingFeatures;
import org.exomem.vhostuser.virtqueue.RingLayout;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.exomem.vhostuser.virtqueue.VirtqueueSetup;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * No step of the event loop is long, however much memory a request is about. The clock is made to go by 1 ms for each
 * system call, so that a step does a few of them only.
 */
@Tag("MEM-STEP-1")
class StepsTest {
    private static final long MIB = 1 << 20;
    private static final long ADDRESS = 64L << 30;
    private static final long BLOCK = 2 * MIB;
    private static final long SIZE = 4096 * MIB;
    private static final int BLOCKS = (int) (SIZE / BLOCK);
    private static final int MOST_CALLS_IN_A_STEP = 8;

    private static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int RING = 16;
    private static final long BUFFERS = 0x8000;

    private final GuestMemory memory = new GuestMemory();
    private final List<String> faults = new ArrayList<>();
    private final Deque<Runnable> later = new ArrayDeque<>();
    private final KeptBlocks kept = KeptBlocks.ofHeap(new MemoryRegionPlan(ADDRESS, SIZE, BLOCK, OptionalInt.empty()));
    private MemoryRegion ram;
    private SharedFile file;
    private VirtioMem device;
    private Virtqueue queue;
    private int available;
    private long nanos;
    private int calls;
    private boolean again;

    @BeforeEach
    void share() throws LinuxException {
        ram = MemoryRegion.map(0, MIB, 0, 0, SharedFile.memfd("ram", MIB));
        memory.add(ram);
        file = spy(SharedFile.memfd("region", SIZE));
        memory.add(MemoryRegion.map(ADDRESS, SIZE, ADDRESS, 0, file));
        start(false);
    }

    private void start(boolean preallocate) {
        device = new VirtioMem(kept, preallocate, SIZE, new Listener(), new PageFeed(), new StepBudget(this::tick));
        device.connected(new Link());
        queue = queue(0);
        device.queueStarted(queue);
        runLater();
    }

    /** Two looks at the clock are a system call. */
    private long tick() {
        calls++;
        nanos += 1_000_000;
        return nanos;
    }

    @AfterEach
    void close() {
        memory.close();
    }

    private static Virtqueue queue(GuestMemory memory, MemoryRegion ram, int base) {
        return Virtqueue.create(new VirtqueueSetup(
                0,
                RING,
                RingFeatures.VERSION_1,
                memory,
                new RingArea(0, ram.segment().asSlice(0, RingLayout.descriptorBytes(RING))),
                new RingArea(0x1000, ram.segment().asSlice(0x1000, RingLayout.driverBytes(RING, 0))),
                new RingArea(0x2000, ram.segment().asSlice(0x2000, RingLayout.deviceBytes(RING, 0))),
                base,
                -1,
                null));
    }

    private Virtqueue queue(int base) {
        return queue(memory, ram, base);
    }

    private void ask(RequestType type, long first, int count) {
        MemorySegment guest = ram.segment();
        int slot = available % (RING / 2);
        long at = BUFFERS + 64L * slot;
        guest.asSlice(at, 64).fill((byte) 0xff);
        guest.set(U16, at, (short) type.number());
        guest.set(U64, at + 8, ADDRESS + first * BLOCK);
        guest.set(U16, at + 16, (short) count);
        describe(2 * slot, at, 24, 1, 2 * slot + 1);
        describe(2 * slot + 1, at + 24, 10, 2, 0);
        guest.set(U16, 0x1000 + 4 + 2L * (available % RING), (short) (2 * slot));
        available++;
        guest.set(U16, 0x1000 + 2, (short) available);
    }

    private void describe(int index, long address, int length, int flags, int next) {
        MemorySegment guest = ram.segment();
        guest.set(U64, 16L * index, address);
        guest.set(U32, 16L * index + 8, length);
        guest.set(U16, 16L * index + 12, (short) flags);
        guest.set(U16, 16L * index + 14, (short) next);
    }

    private int used() {
        return ram.segment().get(U16, 0x2000 + 2) & 0xffff;
    }

    /** What the last request was answered with, or -1 if it was not. */
    private int answer() {
        return used() < available
                ? -1
                : ram.segment().get(U16, BUFFERS + 64L * ((available - 1) % (RING / 2)) + 24) & 0xffff;
    }

    /** One step of the loop; returns true if the device wants another one. */
    private boolean step() {
        calls = 0;
        again = false;
        device.process(queue);
        assertThat(calls / 2).isLessThanOrEqualTo(MOST_CALLS_IN_A_STEP);
        return again;
    }

    private int stepsToTheEnd() {
        int steps = 1;
        while (step() || !later.isEmpty()) {
            runLater();
            steps++;
        }
        return steps;
    }

    private void runLater() {
        while (!later.isEmpty()) {
            calls = 0;
            later.removeFirst().run();
            assertThat(calls / 2).isLessThanOrEqualTo(MOST_CALLS_IN_A_STEP);
        }
    }

    @Test
    @Tag("MEM-REQ-2")
    void unplugAllIsAnsweredWhenAllMemoryHasGoneBack() {
        ask(RequestType.PLUG, 0, BLOCKS);
        assertThat(step()).as("nothing is to be allocated").isFalse();
        ask(RequestType.UNPLUG_ALL, 0, 0);
        assertThat(step()).isTrue();
        assertThat(answer()).as("not yet").isEqualTo(-1);
        assertThat(device.pluggedSize()).isEqualTo(SIZE);

        assertThat(stepsToTheEnd()).isGreaterThan(10);
        assertThat(answer()).isEqualTo(Answer.ACK.number());
        assertThat(device.pluggedSize()).isZero();
    }

    @Test
    void largeUnplugIsAnsweredWhenItsBlocksHaveGoneBack() {
        ask(RequestType.PLUG, 0, BLOCKS);
        step();
        ram(0).fill((byte) 7);
        ask(RequestType.UNPLUG, 0, BLOCKS - 1);
        assertThat(step()).isTrue();
        assertThat(answer()).isEqualTo(-1);
        assertThat(stepsToTheEnd()).isGreaterThan(10);
        assertThat(answer()).isEqualTo(Answer.ACK.number());
        assertThat(device.pluggedSize()).isEqualTo(BLOCK);
        assertThat(ram(0).get(JAVA_BYTE, 0)).isZero();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1})
    @Tag("MEM-STEP-4")
    void requestInHandWaitsForMemoryThatIsTakenAwayAndSharedAnew(int region) {
        ask(RequestType.PLUG, 0, BLOCKS);
        step();
        ask(RequestType.UNPLUG, 0, BLOCKS - 1);
        assertThat(step()).isTrue();
        MemoryRegion taken = memory.regions().get(region);
        memory.detach(taken);
        device.memoryChanged();
        assertThat(step()).as("goes on while the memory is away").isFalse();
        assertThat(calls).isZero();
        assertThat(device.pluggedSize()).isEqualTo(SIZE);

        memory.add(taken);
        device.memoryChanged();
        stepsToTheEnd();
        assertThat(answer()).isEqualTo(Answer.ACK.number());
        assertThat(device.pluggedSize()).isEqualTo(BLOCK);
    }

    private MemorySegment ram(long block) {
        return memory.regions().getLast().segment().asSlice(block * BLOCK, BLOCK);
    }

    @Test
    @Tag("MEM-BLK-5")
    @Tag("MEM-REQ-6")
    @Tag("MEM-REQ-8")
    void largePlugIsAnsweredWhenAllIsAllocatedAndGivenBackIfTheHostHasNoMore() throws LinuxException {
        start(true);
        doThrow(new LinuxException("fallocate", "region", Errno.ENOSPC))
                .when(file)
                .allocate(longThat(offset -> offset >= 128 * MIB), anyLong());
        ask(RequestType.PLUG, 0, 32);
        assertThat(stepsToTheEnd()).isGreaterThan(1);
        assertThat(answer()).isEqualTo(Answer.ACK.number());
        assertThat(file.allocatedBytes()).isEqualTo(32 * BLOCK);

        ask(RequestType.PLUG, 32, 100);
        stepsToTheEnd();
        assertThat(answer()).isEqualTo(Answer.BUSY.number());
        assertThat(device.pluggedSize()).isEqualTo(32 * BLOCK);
        assertThat(file.allocatedBytes()).isEqualTo(32 * BLOCK);
    }

    @Test
    @Tag("MEM-STEP-2")
    void queueThatStopsHandsTheRequestBackAndNothingHasChanged() {
        ask(RequestType.PLUG, 0, BLOCKS);
        step();
        ask(RequestType.UNPLUG_ALL, 0, 0);
        assertThat(step()).isTrue();
        device.queueStopped(queue, true);
        assertThat(queue.base()).isEqualTo(1);
        assertThat(device.pluggedSize()).isEqualTo(SIZE);

        queue = queue(1);
        device.queueStarted(queue);
        stepsToTheEnd();
        assertThat(answer()).isEqualTo(Answer.ACK.number());
        assertThat(device.pluggedSize()).isZero();
    }

    @Test
    @Tag("MEM-STEP-2")
    void resetInTheMiddleOfARequestLeavesBlocksAsTheyWere() throws LinuxException {
        start(true);
        ask(RequestType.PLUG, 0, 1000);
        assertThat(step()).isTrue();
        assertThat(file.allocatedBytes()).isPositive();
        device.queueStopped(queue, false);
        device.reset();
        assertThat(device.pluggedSize()).isZero();

        queue = queue(1);
        device.queueStarted(queue);
        runLater();
        assertThat(file.allocatedBytes()).as("emptied for the next driver").isZero();
        assertThat(device.canPatrol()).isTrue();
    }

    @Test
    @Tag("MEM-BLK-6")
    @Tag("MEM-STEP-3")
    void requestsWaitUntilUnpluggedMemoryIsEmptied() {
        device.memoryChanged();
        assertThat(later).as("more than one step's work").isNotEmpty();
        assertThat(device.canPatrol()).isFalse();
        ask(RequestType.PLUG, 0, 1);
        assertThat(step()).isFalse();
        assertThat(answer()).isEqualTo(-1);
        again = false;
        runLater();
        assertThat(again).as("the queue is to be processed").isTrue();
        step();
        assertThat(answer()).isEqualTo(Answer.ACK.number());
    }

    @Test
    @Tag("MEM-BLK-6")
    @Tag("MEM-BLK-1")
    void memoryIsEmptiedAfterTheRequestInHandAndWhatItPluggedIsNot() throws LinuxException {
        start(true);
        ask(RequestType.PLUG, 0, 100);
        assertThat(step()).isTrue();
        device.memoryChanged();
        assertThat(device.canPatrol()).isFalse();
        stepsToTheEnd();
        assertThat(answer()).isEqualTo(Answer.ACK.number());
        assertThat(file.allocatedBytes()).isEqualTo(100 * BLOCK);
        assertThat(device.canPatrol()).isTrue();
    }

    @Test
    @Tag("MEM-BLK-4")
    @Tag("MEM-STEP-3")
    void systemResetTakesStepsAndRequestsWaitForIt() {
        ask(RequestType.PLUG, 0, BLOCKS);
        step();
        ask(RequestType.UNPLUG, 0, BLOCKS);
        assertThat(step()).isTrue();
        CompletableFuture<Void> reset = device.systemReset();
        assertThat(reset).isNotDone();
        assertThat(step()).isFalse();
        assertThat(answer()).isEqualTo(-1);

        runLater();
        assertThat(reset).isCompleted();
        assertThat(device.pluggedSize()).isZero();
        step();
        assertThat(answer()).as("it was asked for before the reset").isEqualTo(Answer.BUSY.number());
    }

    @Test
    @Tag("MEM-BLK-4")
    void systemResetIsDoneWhenTheFrontEndGoes() {
        ask(RequestType.PLUG, 0, BLOCKS);
        step();
        CompletableFuture<Void> reset = device.systemReset();
        assertThat(reset).isNotDone();
        device.queueStopped(queue, false);
        device.disconnected();
        assertThat(reset).isCompleted();
        assertThat(device.pluggedSize()).isZero();
    }

    private static final class Listener implements MemListener {
        @Override
        public void pluggedSizeChanged(long pluggedSize) {}

        @Override
        public void refused(String reason) {}
    }

    private final class Link implements DeviceLink {
        @Override
        public GuestMemory memory() {
            return memory;
        }

        @Override
        public void configChanged() {}

        @Override
        public boolean mayPush(Virtqueue which) {
            return true;
        }

        @Override
        public void callIfWanted(Virtqueue which) {}

        @Override
        public void processAgain(Virtqueue which) {
            again = true;
        }

        @Override
        public void later(Runnable task) {
            later.add(task);
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
