package org.exomem.vhostuser.virtqueue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.exomem.vhostuser.virtqueue.TestDriver.Piece;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Faults that only a packed ring's driver can make (VIRTIO, "Packed Virtqueues"). */
class PackedFaultTest {
    private static final int SIZE = 4;
    private static final int AVAILABLE = PackedDriver.AVAIL;

    private final GuestRam ram = GuestRam.of(1 << 20);
    private final long data = ram.allocate(64, 8);
    private final PackedDriver driver = new PackedDriver(ram, RingKind.PACKED.withIndirect(), SIZE, 4);
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
    void aBufferIdThatIsNotBelowTheQueueSize() {
        driver.writeDescriptor(0, data, 8, AVAILABLE, SIZE);
        refuses("buffer id 4");
    }

    @Test
    void aBufferIdThatTheDeviceStillHas() {
        driver.writeDescriptor(0, data, 8, AVAILABLE, 2);
        driver.writeDescriptor(1, data, 8, AVAILABLE, 2);
        assertThat(queue.pop(new DescriptorChain())).isTrue();
        refuses("buffer 2 was made available again");
    }

    @Test
    @Tag("VQ-PCK-7")
    void aChainThatIsLongerThanTheRing() {
        for (int slot = 0; slot < SIZE; slot++) {
            driver.writeDescriptor(slot, data, 8, AVAILABLE | TestDriver.NEXT, 0);
        }
        refuses("longer than the 4 slots");
    }

    @Test
    @Tag("VQ-PCK-7")
    void aChainThatRunsIntoSlotsWhichTheDeviceStillHas() {
        driver.writeDescriptor(0, data, 8, AVAILABLE, 0);
        assertThat(queue.pop(new DescriptorChain())).isTrue();
        for (int slot = 1; slot < SIZE; slot++) {
            driver.writeDescriptor(slot, data, 8, AVAILABLE | TestDriver.NEXT, 1);
        }
        driver.writeDescriptor(0, data, 8, PackedDriver.USED, 1);
        refuses("longer than the 3 slots");
    }

    @Test
    void aSlotThatTheDeviceStillHas() {
        for (int slot = 0; slot < SIZE; slot++) {
            driver.writeDescriptor(slot, data, 8, AVAILABLE, slot);
            assertThat(queue.pop(new DescriptorChain())).isTrue();
        }
        driver.writeDescriptor(0, data, 8, PackedDriver.USED, 0);
        refuses("slot 0 was made available again");
    }

    @Test
    void aChainWhoseLaterDescriptorsAreNotAvailable() {
        driver.writeDescriptor(0, data, 8, AVAILABLE | TestDriver.NEXT, 0);
        refuses("continues at slot 1, which is not available");
    }

    /** "A driver MUST NOT write direct descriptors with INDIRECT set in a list linked by NEXT." */
    @Test
    @Tag("VQ-IND-2")
    void aTableThatIsContinued() {
        driver.writeDescriptor(0, data, 16, AVAILABLE | TestDriver.INDIRECT | TestDriver.NEXT, 0);
        refuses("from within a chain linked by NEXT");
    }

    @Test
    @Tag("VQ-IND-2")
    void aTableThatEndsAChain() {
        driver.writeDescriptor(1, data, 16, AVAILABLE | TestDriver.INDIRECT, 0);
        driver.writeDescriptor(0, data, 16, AVAILABLE | TestDriver.NEXT, 0);
        refuses("from within a chain linked by NEXT");
    }

    /** "The WRITE flags bit is the only valid flag for descriptors in the indirect table. Others ... are ignored." */
    @Test
    @Tag("VQ-IND-5")
    void allFlagsButWriteAreIgnoredInATable() {
        int others = TestDriver.NEXT | TestDriver.INDIRECT | PackedDriver.AVAIL | PackedDriver.USED;
        driver.writeEntry(data, new Piece(data + 32, 4, false), others, 14, 77, 12);
        driver.writeEntry(data + 16, new Piece(data + 36, 5, true), others, 14, 78, 12);
        driver.writeDescriptor(0, data, 32, AVAILABLE | TestDriver.INDIRECT | TestDriver.WRITE, 3);
        DescriptorChain chain = new DescriptorChain();
        assertThat(queue.pop(chain)).isTrue();
        assertThat(chain.readableBytes()).isEqualTo(4);
        assertThat(chain.writableBytes()).isEqualTo(5);
        queue.push(chain, 0);
        assertThat((short) TestDriver.U16.get(driver.descriptors, 12L)).isEqualTo((short) 3);
    }

    @Test
    @Tag("VHU-RING-13")
    void aBaseOutsideTheRing() {
        assertThatThrownBy(() -> Virtqueue.create(driver.setup(SIZE, null)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("names slot 4");
    }

    @Test
    void aBaseWhoseAvailablePositionIsBeforeItsUsedOne() {
        int base = (1 << 15) | 1 | (((1 << 15) | 2) << 16);
        assertThatThrownBy(() -> Virtqueue.create(driver.setup(base, null)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("before the used position");
    }
}
