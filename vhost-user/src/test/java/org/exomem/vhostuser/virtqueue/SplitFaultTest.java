package org.exomem.vhostuser.virtqueue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.exomem.vhostuser.virtqueue.TestDriver.Piece;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Faults that only a split ring's driver can make (VIRTIO, "Split Virtqueues"). */
class SplitFaultTest {
    private static final int SIZE = 8;

    private final GuestRam ram = GuestRam.of(1 << 20);
    private final long data = ram.allocate(64, 8);
    private final SplitDriver driver = new SplitDriver(ram, RingKind.SPLIT.withIndirect(), SIZE, 4);
    private final Virtqueue queue = Virtqueue.create(driver.setup());

    @AfterEach
    void unmap() {
        ram.close();
    }

    private void refuses(String message) {
        DescriptorChain chain = new DescriptorChain();
        assertThatThrownBy(() -> queue.pop(chain))
                .isExactlyInstanceOf(DriverFault.class)
                .hasMessageContaining(message);
    }

    @Test
    @Tag("VQ-SPL-7")
    void anAvailableIndexThatGoesFurtherThanTheQueueIsLong() {
        driver.setAvailableIndex(SIZE + 1);
        assertThat(queue.hasAvailable()).isTrue();
        refuses("went from 0 to 9");
    }

    @Test
    @Tag("VQ-SPL-7")
    void anAvailableIndexThatGoesBack() {
        driver.setAvailableIndex(0xffff);
        refuses("went from 0 to 65535");
    }

    @Test
    void aHeadThatIsNotInTheTable() {
        driver.offer(SIZE);
        refuses("names descriptor 8");
    }

    @Test
    void aHeadThatTheDeviceStillHas() {
        driver.writeDescriptor(3, data, 8, 0, 0);
        driver.offer(3);
        assertThat(queue.pop(new DescriptorChain())).isTrue();
        driver.offer(3);
        refuses("buffer 3 was made available again");
    }

    @Test
    void aChainThatGoesOnOutsideTheTable() {
        driver.writeDescriptor(0, data, 8, TestDriver.NEXT, SIZE);
        driver.offer(0);
        refuses("continues at 8");
    }

    @Test
    @Tag("VQ-SPL-3")
    void aChainThatLoops() {
        driver.writeDescriptor(0, data, 8, TestDriver.NEXT, 1);
        driver.writeDescriptor(1, data, 8, TestDriver.NEXT, 0);
        driver.offer(0);
        refuses("it loops");
    }

    @Test
    @Tag("VQ-SPL-3")
    void aDescriptorThatFollowsItself() {
        driver.writeDescriptor(5, data, 8, TestDriver.NEXT, 5);
        driver.offer(5);
        refuses("it loops");
    }

    @Test
    @Tag("VQ-IND-2")
    void aTableThatIsAlsoContinued() {
        driver.writeDescriptor(0, data, 16, TestDriver.INDIRECT | TestDriver.NEXT, 1);
        driver.offer(0);
        refuses("both INDIRECT and NEXT");
    }

    @Test
    @Tag("VQ-IND-2")
    void aTableInATable() {
        driver.writeEntry(data, new Piece(data, 16, false), TestDriver.INDIRECT, 12, 0, 14);
        driver.writeDescriptor(0, data, 16, TestDriver.INDIRECT, 0);
        driver.offer(0);
        refuses("refers to another indirect table");
    }

    @Test
    void aTableThatLoops() {
        driver.writeEntry(data, new Piece(data, 16, false), TestDriver.NEXT, 12, 1, 14);
        driver.writeEntry(data + 16, new Piece(data, 16, false), TestDriver.NEXT, 12, 0, 14);
        driver.writeDescriptor(0, data, 32, TestDriver.INDIRECT, 0);
        driver.offer(0);
        refuses("loops");
    }

    @Test
    @Tag("VQ-IND-5")
    void aTableThatGoesOnOutsideItself() {
        driver.writeEntry(data, new Piece(data, 16, false), TestDriver.NEXT, 12, 2, 14);
        driver.writeDescriptor(0, data, 32, TestDriver.INDIRECT, 0);
        driver.offer(0);
        refuses("continues at 2");
    }

    /** "The device MUST ignore the write-only flag in the descriptor that refers to an indirect table." */
    @Test
    @Tag("VQ-IND-3")
    void theWriteFlagOfATablesDescriptorIsIgnored() {
        driver.writeEntry(data, new Piece(data + 32, 16, false), 0, 12, 0, 14);
        driver.writeDescriptor(0, data, 16, TestDriver.INDIRECT | TestDriver.WRITE, 0);
        driver.offer(0);
        DescriptorChain chain = new DescriptorChain();
        assertThat(queue.pop(chain)).isTrue();
        assertThat(chain.readableBytes()).isEqualTo(16);
    }

    /** "Zero or more normal chained descriptors followed by a single descriptor with INDIRECT." */
    @Test
    @Tag("VQ-IND-4")
    void aTableMayEndAChain() {
        driver.writeDescriptor(0, data + 48, 3, TestDriver.NEXT, 4);
        driver.writeDescriptor(4, data, 32, TestDriver.INDIRECT, 0);
        driver.writeEntry(data, new Piece(data + 52, 4, false), TestDriver.NEXT, 12, 1, 14);
        driver.writeEntry(data + 16, new Piece(data + 56, 5, true), 0, 12, 0, 14);
        driver.offer(0);
        DescriptorChain chain = new DescriptorChain();
        assertThat(queue.pop(chain)).isTrue();
        assertThat(chain.readableBytes()).isEqualTo(7);
        assertThat(chain.writableBytes()).isEqualTo(5);
    }

    @Test
    void aUsedRingFurtherFromTheBaseThanTheQueueIsLong() {
        assertThatThrownBy(() -> Virtqueue.create(driver.setup(100, null)))
                .isExactlyInstanceOf(DriverFault.class)
                .hasMessageContaining("starts at available index 100, but its used index is 0");
    }

    @Test
    @Tag("VQ-SPL-7")
    void theIndicesWrapAroundAt65536() {
        SplitDriver late = new SplitDriver(ram, RingKind.SPLIT, SIZE, 1);
        late.startAt(65533);
        Virtqueue wrapping = Virtqueue.create(late.setup());
        DescriptorChain chain = new DescriptorChain();
        for (int i = 0; i < 70_000; i++) {
            int token = late.add(List.of(new Piece(data, 8, true)));
            assertThat(wrapping.pop(chain)).isTrue();
            wrapping.push(chain, i & 7);
            assertThat(late.poll()).isEqualTo(new TestDriver.Used(token, i & 7));
        }
        assertThat(wrapping.base()).isEqualTo((65533 + 70_000) & 0xffff);
    }
}
