package org.exomem.vhostuser.virtqueue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.exomem.linux.LinuxException;
import org.exomem.linux.Mapping;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.memory.DirtyLog;
import org.exomem.vhostuser.virtqueue.TestDriver.Piece;
import org.exomem.vhostuser.virtqueue.TestDriver.Used;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Starting, stopping, moving and logging a queue; chains that lie across regions. */
class QueueLifeTest {
    private static final String ALL = "org.exomem.vhostuser.virtqueue.RingKind#all";
    private static final String PLAIN = "org.exomem.vhostuser.virtqueue.RingKind#plain";
    private static final int SIZE = 4;

    private final GuestRam ram = GuestRam.of(1 << 18, 4096, 1 << 16);
    private final long data = ram.allocate(64, 8);
    private final DescriptorChain chain = new DescriptorChain();

    @AfterEach
    void unmap() {
        ram.close();
    }

    @ParameterizedTest
    @Tag("VHU-RING-13")
    @MethodSource(ALL)
    void aQueueGoesOnWhereItsBaseSays(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        int base = driver.initialBase();
        for (int i = 0; i < 30; i++) {
            Virtqueue queue = Virtqueue.create(driver.setup(base, null));
            assertThat(queue.base()).isEqualTo(base);
            int first = driver.add(List.of(new Piece(data, 8, true)));
            int second = driver.add(List.of(new Piece(data, 8, true)));
            assertThat(queue.pop(chain)).isTrue();
            queue.push(chain, 1);
            assertThat(driver.poll()).isEqualTo(new Used(first, 1));
            // The second one stays available during the stop.
            queue = Virtqueue.create(driver.setup(queue.base(), null));
            assertThat(queue.pop(chain)).isTrue();
            queue.push(chain, 2);
            assertThat(driver.poll()).isEqualTo(new Used(second, 2));
            assertThat(queue.pop(chain)).isFalse();
            base = queue.base();
        }
    }

    @ParameterizedTest
    @MethodSource(ALL)
    void aDescriptorAcrossRegionsIsSeveralBuffersOfOneContent(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        long start = ram.border(0) - 6;
        long length = 6 + 4096 + 5;
        for (long i = 0; i < length; i++) {
            ram.set(start + i, (int) (i * 7));
        }
        driver.add(List.of(new Piece(start, length, false), new Piece(ram.border(1) - 3, 10, true)));
        assertThat(queue.pop(chain)).isTrue();
        assertThat(chain.readableBuffers()).isEqualTo(3);
        assertThat(chain.buffers()).isEqualTo(5);
        assertThat(chain.length(1)).isEqualTo(4096);
        for (int i = 0; i < length; i++) {
            assertThat(chain.readByte(i)).isEqualTo((byte) (i * 7));
        }
        for (int i = 0; i <= 8; i++) {
            int expected = (i * 7 & 0xff)
                    | ((i + 1) * 7 & 0xff) << 8
                    | ((i + 2) * 7 & 0xff) << 16
                    | ((i + 3) * 7 & 0xff) << 24;
            assertThat(chain.readInt(i)).as("at %d", i).isEqualTo(expected);
        }
        MemorySegment answer = MemorySegment.ofArray(new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
        assertThat(chain.write(0, answer, ram.memory())).isEqualTo(10);
        for (int i = 0; i < 10; i++) {
            assertThat(ram.get(ram.border(1) - 3 + i)).isEqualTo((byte) (i + 1));
        }
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void anIndirectTableMayLieAcrossRegionsAtAnyAddress(RingKind kind) {
        for (int before = 1; before < 32; before++) {
            TestDriver driver = TestDriver.create(ram, kind.withIndirect(), SIZE);
            Virtqueue queue = Virtqueue.create(driver.setup());
            long table = ram.border(0) - before;
            Piece read = new Piece(data, 3, false);
            Piece written = new Piece(data + 8, 5, true);
            switch (driver) {
                case SplitDriver split -> {
                    split.writeEntry(table, read, TestDriver.NEXT, 12, 1, 14);
                    split.writeEntry(table + 16, written, 0, 12, 0, 14);
                    split.writeDescriptor(0, table, 32, TestDriver.INDIRECT, 0);
                    split.offer(0);
                }
                case PackedDriver packed -> {
                    packed.writeEntry(table, read, 0, 14, 0, 12);
                    packed.writeEntry(table + 16, written, 0, 14, 0, 12);
                    packed.writeDescriptor(0, table, 32, TestDriver.INDIRECT | packed.availableFlags(0), 0);
                }
            }
            assertThat(queue.pop(chain)).isTrue();
            assertThat(chain.guestAddress(0)).isEqualTo(data);
            assertThat(chain.readableBytes()).isEqualTo(3);
            assertThat(chain.guestAddress(1)).isEqualTo(data + 8);
            assertThat(chain.writableBytes()).isEqualTo(5);
            queue.push(chain, 0);
        }
    }

    @ParameterizedTest
    @MethodSource(ALL)
    void aQueueGoesOnInTheSameRingMappedElsewhere(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        int first = driver.add(List.of(new Piece(data, 8, true)));
        int second = driver.add(List.of(new Piece(data, 8, true)));
        assertThat(queue.pop(chain)).isTrue();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment descriptors = copy(arena, driver.descriptors);
            MemorySegment driverArea = copy(arena, driver.driverArea);
            MemorySegment deviceArea = copy(arena, driver.deviceArea);
            queue.relocate(
                    new RingArea(driver.descriptorAddress, descriptors),
                    new RingArea(driver.driverAddress, driverArea),
                    new RingArea(driver.deviceAddress, deviceArea));
            queue.push(chain, 3);
            assertThat(driver.poll()).as("the old place is left alone").isNull();
            assertThat(queue.pop(chain)).isTrue();
            queue.push(chain, 4);
            driver.descriptors.copyFrom(descriptors);
            driver.deviceArea.copyFrom(deviceArea);
        }
        assertThat(driver.poll()).isEqualTo(new Used(first, 3));
        assertThat(driver.poll()).isEqualTo(new Used(second, 4));
    }

    private static MemorySegment copy(Arena arena, MemorySegment part) {
        return arena.allocate(part.byteSize(), 16).copyFrom(part);
    }

    @ParameterizedTest
    @Tag("VHU-LOG-4")
    @MethodSource(PLAIN)
    void writesToTheRingAreLoggedWhereTheFrontEndSays(RingKind kind) throws LinuxException {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        long logAddress = 0x1234_5000L;
        long logBytes = 1 << 16;
        try (SharedFile file = SharedFile.memfd("log", logBytes);
                DirtyLog log = DirtyLog.map(file, 0, logBytes)) {
            MemorySegment bits = mapLog(file, logBytes);
            ram.memory().logTo(log);
            use(driver, queue);
            assertThat(isClean(bits)).as("logging of the ring is off").isTrue();

            queue.logUsedWritesAt(logAddress);
            use(driver, queue);
            // A packed ring's used entries go into the descriptor ring, a split one's into the used ring.
            long page = (kind.packed() ? driver.descriptorAddress : logAddress) >>> 12;
            assertThat(bits.get(ValueLayout.JAVA_BYTE, page / 8)).isEqualTo((byte) (1 << page % 8));

            bits.fill((byte) 0);
            queue.suppressKicks();
            page = logAddress >>> 12;
            assertThat(bits.get(ValueLayout.JAVA_BYTE, page / 8)).isEqualTo((byte) (1 << page % 8));

            bits.fill((byte) 0);
            queue.logUsedWritesAt(-1);
            use(driver, queue);
            queue.resumeKicks();
            assertThat(isClean(bits)).isTrue();
        } finally {
            ram.memory().logTo(null);
        }
    }

    private void use(TestDriver driver, Virtqueue queue) {
        driver.add(List.of(new Piece(data, 8, true)));
        assertThat(queue.pop(chain)).isTrue();
        queue.push(chain, 0);
        assertThat(driver.poll()).isNotNull();
    }

    private static MemorySegment mapLog(SharedFile file, long bytes) throws LinuxException {
        return Mapping.of(file, 0, bytes).segment();
    }

    private static boolean isClean(MemorySegment bits) {
        for (long i = 0; i < bits.byteSize(); i++) {
            if (bits.get(ValueLayout.JAVA_BYTE, i) != 0) {
                return false;
            }
        }
        return true;
    }

    @ParameterizedTest
    @Tag("VQ-SPL-1")
    @Tag("VQ-PCK-1")
    @MethodSource(PLAIN)
    void aRingPartThatIsTooShortOrMisalignedIsTheFrontEndsFault(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        VirtqueueSetup good = driver.setup();
        RingArea shortArea = new RingArea(driver.deviceAddress, driver.deviceArea.asSlice(0, 2));
        assertThatThrownBy(() -> setup(good, SIZE, good.descriptors(), shortArea))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("device area")
                .hasMessageContaining("has 2 bytes");
        RingArea odd = ram.area(ram.allocate(256, 16) + 8, 128);
        assertThatThrownBy(() -> setup(good, SIZE, odd, good.device()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("not aligned to 16");
        for (int size : new int[] {-1, 0, 32769, kind.packed() ? 65536 : 3}) {
            assertThatThrownBy(() -> setup(good, size, good.descriptors(), good.device()))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("can't have " + size);
        }
    }

    private static VirtqueueSetup setup(VirtqueueSetup good, int size, RingArea descriptors, RingArea device) {
        return new VirtqueueSetup(
                0, size, good.features(), good.memory(), descriptors, good.driver(), device, good.base(), -1, null);
    }

    @ParameterizedTest
    @Tag("VQ-ORD-2")
    @MethodSource(PLAIN)
    void withInOrderADeviceMustPushInTheOrderOfPopping(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind.withInOrder(), SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        driver.add(List.of(new Piece(data, 8, true)));
        driver.add(List.of(new Piece(data, 8, true)));
        DescriptorChain second = new DescriptorChain();
        assertThat(queue.pop(chain)).isTrue();
        assertThat(queue.pop(second)).isTrue();
        assertThatThrownBy(() -> queue.push(second, 0))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("IN_ORDER");
        queue.push(chain, 0);
        queue.push(second, 0);
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void aChainThatWasNotPushedIsNotOverwritten(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        driver.add(List.of(new Piece(data, 8, true)));
        driver.add(List.of(new Piece(data, 8, true)));
        assertThat(queue.pop(chain)).isTrue();
        assertThatThrownBy(() -> queue.pop(chain))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("pop into another chain");
    }

    @ParameterizedTest
    @Tag("VQ-SPL-8")
    @MethodSource(PLAIN)
    void aDeviceCannotHaveWrittenMoreThanThereIsRoomFor(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        driver.add(List.of(new Piece(data, 8, false), new Piece(data, 8, true)));
        assertThat(queue.pop(chain)).isTrue();
        assertThatThrownBy(() -> queue.push(chain, 9)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> queue.push(chain, -1)).isInstanceOf(IllegalArgumentException.class);
        queue.push(chain, 8);
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void aChainOfAStoppedQueueIsNotTakenByTheNext(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        driver.add(List.of(new Piece(data, 8, true)));
        assertThat(queue.pop(chain)).isTrue();
        Virtqueue next = Virtqueue.create(driver.setup(queue.base(), null));
        assertThatThrownBy(() -> next.push(chain, 0)).isInstanceOf(IllegalStateException.class);
    }

    @ParameterizedTest
    @MethodSource(ALL)
    void chainsThatAreUnpoppedComeAgainHereAndWhereTheQueueStartsAgain(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        int base = driver.initialBase();
        for (int round = 0; round < 30; round++) {
            Virtqueue queue = Virtqueue.create(driver.setup(base, null));
            int first = driver.add(List.of(new Piece(data, 8, true)));
            int second = driver.add(List.of(new Piece(data, 8, true)));
            DescriptorChain later = new DescriptorChain();
            assertThat(queue.pop(chain)).isTrue();
            assertThat(queue.pop(later)).isTrue();
            queue.unpop(later);
            queue.unpop(chain);
            assertThat(queue.base()).isEqualTo(base);
            assertThatThrownBy(() -> queue.push(chain, 0)).isInstanceOf(IllegalStateException.class);
            assertThat(queue.pop(chain)).isTrue();
            queue.push(chain, 1);
            assertThat(queue.pop(later)).isTrue();
            queue.unpop(later);
            assertThat(driver.poll()).isEqualTo(new Used(first, 1));
            Virtqueue next = Virtqueue.create(driver.setup(queue.base(), null));
            assertThat(next.pop(later)).isTrue();
            next.push(later, 2);
            assertThat(driver.poll()).isEqualTo(new Used(second, 2));
            base = next.base();
        }
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void freePagesThatAreNotSharedAreLeftOutAndCounted(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        DescriptorChain named = DescriptorChain.leavingUnsharedOut();
        driver.add(List.of(
                new Piece(data, 8, true), new Piece(ram.border(2) - 4, 8, true), new Piece(1L << 40, 4096, true)));
        assertThat(queue.pop(named)).isTrue();
        assertThat(named.buffers()).isEqualTo(1);
        assertThat(named.guestAddress(0)).isEqualTo(data);
        assertThat(named.unsharedBuffers()).isEqualTo(2);
        assertThat(named.unsharedBytes()).isEqualTo(4096 + 8);
        queue.push(named, 0);
        driver.add(List.of(new Piece(1L << 40, 4096, false)));
        assertThatThrownBy(() -> queue.pop(named)).isInstanceOf(DriverFault.class);
    }
}
