package org.exomem.vhostuser.virtqueue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.exomem.vhostuser.virtqueue.TestDriver.Piece;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Chains that both kinds of rings refuse, and the messages. */
class ChainFaultTest {
    private static final String PLAIN = "org.exomem.vhostuser.virtqueue.RingKind#plain";
    private static final String ALL = "org.exomem.vhostuser.virtqueue.RingKind#all";
    private static final int SIZE = 8;

    private final GuestRam ram = GuestRam.of(1 << 20);
    private final long data = ram.allocate(64, 8);

    @AfterEach
    void unmap() {
        ram.close();
    }

    private void refuses(RingKind kind, String message, Piece... pieces) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        int base = queue.base();
        driver.add(List.of(pieces));
        refuses(queue, message);
        assertThat(queue.base()).as("nothing was taken").isEqualTo(base);
        // A second request gets the same answer.
        refuses(queue, message);
    }

    private static void refuses(Virtqueue queue, String message) {
        DescriptorChain chain = new DescriptorChain();
        assertThatThrownBy(() -> queue.pop(chain))
                .isExactlyInstanceOf(DriverFault.class)
                .hasMessageContaining(message);
    }

    @ParameterizedTest
    @MethodSource(ALL)
    void aDescriptorOfLengthZero(RingKind kind) {
        refuses(kind, "has length 0", new Piece(data, 0, false));
    }

    @ParameterizedTest
    @Tag("VQ-SPL-2")
    @Tag("VQ-PCK-7")
    @MethodSource(ALL)
    void aReadableDescriptorAfterAWritableOne(RingKind kind) {
        refuses(
                kind,
                "device-readable descriptor follows a device-writable",
                new Piece(data, 8, true),
                new Piece(data + 8, 8, false));
    }

    @ParameterizedTest
    @MethodSource(ALL)
    void aRangeOutsideGuestMemory(RingKind kind) {
        refuses(kind, "not in guest memory", new Piece(0, 8, false));
    }

    @ParameterizedTest
    @MethodSource(ALL)
    void aRangeThatStartsInGuestMemoryAndEndsOutside(RingKind kind) {
        refuses(
                kind,
                "not in guest memory at 0x" + Long.toHexString(ram.border(0)),
                new Piece(data, (1 << 20) + 1, true));
    }

    @ParameterizedTest
    @MethodSource(ALL)
    void aRangeThatWrapsAroundTheAddressSpace(RingKind kind) {
        refuses(kind, "wraps around", new Piece(-8, 16, true));
    }

    @ParameterizedTest
    @Tag("VQ-SPL-3")
    @MethodSource(PLAIN)
    void moreThanFourGibibytesInAChain(RingKind kind) {
        // Sparse: none of it is ever touched.
        try (GuestRam huge = GuestRam.of(1 << 20, 6L << 30)) {
            TestDriver driver = TestDriver.create(huge, kind, SIZE);
            Virtqueue queue = Virtqueue.create(driver.setup());
            long start = huge.border(0);
            long most = 0xffff_ffffL;
            driver.add(List.of(new Piece(start, most, true), new Piece(start, 1, true)));
            DescriptorChain chain = new DescriptorChain();
            assertThat(queue.pop(chain)).isTrue();
            assertThat(chain.writableBytes()).isEqualTo(1L << 32);
            queue.push(chain, 1L << 32);
            assertThat(driver.poll())
                    .as("an understatement, as the field has 32 bits")
                    .isNotNull()
                    .satisfies(u -> assertThat(u.written()).isEqualTo(most));
            driver.add(List.of(new Piece(start, most, true), new Piece(start, 2, true)));
            refuses(queue, "more than 2^32 bytes");
        }
    }

    @ParameterizedTest
    @Tag("VQ-IND-1")
    @MethodSource(PLAIN)
    void anIndirectTableThatWasNotNegotiated(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        offerTable(driver, data, 16);
        refuses(queue, "INDIRECT_DESC was not negotiated");
    }

    @ParameterizedTest
    @Tag("VQ-IND-1")
    @MethodSource(PLAIN)
    void anIndirectTableWhoseLengthIsNoMultipleOf16(RingKind kind) {
        for (long length : new long[] {0, 1, 15, 17, 0xffff_ffffL}) {
            TestDriver driver = TestDriver.create(ram, kind.withIndirect(), SIZE);
            Virtqueue queue = Virtqueue.create(driver.setup());
            offerTable(driver, data, length);
            refuses(queue, "an indirect table has " + length + " bytes");
        }
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void anIndirectTableLongerThanAnyQueue(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind.withIndirect(), SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        offerTable(driver, data, 16 * 32769);
        refuses(queue, "32769 entries");
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void anIndirectTableOutsideGuestMemory(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind.withIndirect(), SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        offerTable(driver, ram.border(0) - 8, 16);
        refuses(queue, "outside guest memory at 0x" + Long.toHexString(ram.border(0)));
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void anIndirectTableThatWrapsAroundTheAddressSpace(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind.withIndirect(), SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        offerTable(driver, -16, 32);
        refuses(queue, "wraps around");
    }

    private static void offerTable(TestDriver driver, long address, long length) {
        switch (driver) {
            case SplitDriver split -> {
                split.writeDescriptor(0, address, length, TestDriver.INDIRECT, 0);
                split.offer(0);
            }
            case PackedDriver packed ->
                packed.writeDescriptor(0, address, length, TestDriver.INDIRECT | packed.availableFlags(0), 0);
        }
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void aChainThroughATableThatIsLongerThanTheQueue(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind.withIndirect(), 2);
        Virtqueue queue = Virtqueue.create(driver.setup());
        long table = ram.allocate(16 * 3, 16);
        List<Piece> pieces = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            pieces.add(new Piece(data, 4, true));
        }
        for (int i = 0; i < 3; i++) {
            if (kind.packed()) {
                driver.writeEntry(table + 16 * i, pieces.get(i), 0, 14, 0, 12);
            } else {
                driver.writeEntry(table + 16 * i, pieces.get(i), i < 2 ? TestDriver.NEXT : 0, 12, i + 1, 14);
            }
        }
        offerTable(driver, table, 48);
        refuses(queue, kind.packed() ? "more than the queue's 2" : "longer than the queue (2");
    }
}
