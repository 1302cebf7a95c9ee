package org.exomem.vhostuser.virtqueue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.exomem.vhostuser.virtqueue.TestDriver.Piece;
import org.exomem.vhostuser.virtqueue.TestDriver.Used;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The guarantees of both kinds of rings to a device. */
class VirtqueueTest {
    private static final String ALL = "org.exomem.vhostuser.virtqueue.RingKind#all";
    private final GuestRam ram = GuestRam.of(8 << 20, 1 << 16);

    @AfterEach
    void unmap() {
        ram.close();
    }

    @ParameterizedTest
    @MethodSource(ALL)
    void nothingIsAvailableInANewRing(RingKind kind) {
        Virtqueue queue = Virtqueue.create(TestDriver.create(ram, kind, 8).setup());
        assertThat(queue.hasAvailable()).isFalse();
        assertThat(queue.pop(new DescriptorChain())).isFalse();
    }

    @ParameterizedTest
    @Tag("VQ-SPL-8")
    @Tag("VQ-PCK-5")
    @Tag("VQ-PCK-6")
    @MethodSource(ALL)
    void aChainKeepsItsOrderOfReadableAndWritableBuffers(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, 8);
        Virtqueue queue = Virtqueue.create(driver.setup());
        long data = ram.allocate(64, 8);
        int token = driver.add(
                List.of(new Piece(data, 5, false), new Piece(data + 5, 3, false), new Piece(data + 32, 16, true)));

        assertThat(queue.hasAvailable()).isTrue();
        DescriptorChain chain = new DescriptorChain();
        assertThat(queue.pop(chain)).isTrue();
        assertThat(chain.buffers()).isEqualTo(3);
        assertThat(chain.readableBuffers()).isEqualTo(2);
        assertThat(chain.readableBytes()).isEqualTo(8);
        assertThat(chain.writableBytes()).isEqualTo(16);
        assertThat(chain.guestAddress(1)).isEqualTo(data + 5);
        assertThat(queue.pop(new DescriptorChain())).isFalse();

        assertThat(driver.poll()).isNull();
        queue.push(chain, 7);
        assertThat(driver.poll()).isEqualTo(new Used(token, 7));
        assertThat(driver.poll()).isNull();
    }

    @ParameterizedTest
    @Tag("VQ-PCK-2")
    @Tag("VQ-PCK-3")
    @Tag("VQ-PCK-5")
    @MethodSource(ALL)
    void manyLapsOfChainsOfAnyLengthComeBackOnceEach(RingKind kind) {
        for (int size : new int[] {1, 2, 16}) {
            runLaps(kind, size, 5000);
        }
    }

    @ParameterizedTest
    @Tag("VQ-SPL-1")
    @Tag("VQ-PCK-1")
    @MethodSource(ALL)
    void aRingOf32768DescriptorsIsFilledAndEmptied(RingKind kind) {
        try (GuestRam big = GuestRam.of(16 << 20)) {
            int size = 32768;
            TestDriver driver = TestDriver.create(big, kind, size);
            Virtqueue queue = Virtqueue.create(driver.setup());
            long data = big.allocate(16, 8);
            List<Piece> piece = List.of(new Piece(data, 16, true));
            int[] tokens = new int[size];
            DescriptorChain[] chains = new DescriptorChain[size];
            for (int lap = 0; lap < 3; lap++) {
                int popped = 0;
                for (int i = 0; i < size; i++) {
                    tokens[i] = driver.add(piece);
                    DescriptorChain chain = chains[i] == null ? chains[i] = new DescriptorChain() : chains[i];
                    popped += queue.pop(chain) ? 1 : 0;
                }
                assertThat(popped).isEqualTo(size);
                assertThat(driver.add(piece)).as("the ring is full").isEqualTo(-1);
                assertThat(queue.pop(new DescriptorChain())).isFalse();
                int right = 0;
                for (int i = 0; i < size; i++) {
                    queue.push(chains[i], i & 15);
                    right += new Used(tokens[i], i & 15).equals(driver.poll()) ? 1 : 0;
                }
                assertThat(right).as("lap %d", lap).isEqualTo(size);
            }
        }
    }

    private void runLaps(RingKind kind, int size, int chains) {
        long seed = 42 + size;
        Random random = new Random(seed);
        TestDriver driver = TestDriver.create(ram, kind, size);
        Virtqueue queue = Virtqueue.create(driver.setup());
        long data = ram.allocate(16L * size, 8);
        List<DescriptorChain> held = new ArrayList<>();
        List<Integer> expected = new ArrayList<>();
        List<Integer> outstanding = new ArrayList<>();
        int added = 0;
        int done = 0;
        String context = kind + " size " + size + " seed " + seed;
        while (done < chains) {
            switch (random.nextInt(4)) {
                case 0 -> {
                    int pieces = 1 + random.nextInt(driver.maxPieces());
                    int readable = random.nextInt(pieces + 1);
                    List<Piece> list = new ArrayList<>();
                    for (int i = 0; i < pieces; i++) {
                        list.add(new Piece(data + 16L * i, 16, i >= readable));
                    }
                    int token = driver.add(list);
                    if (token >= 0) {
                        outstanding.add(token);
                        added++;
                    }
                }
                case 1 -> {
                    DescriptorChain chain = new DescriptorChain();
                    if (queue.pop(chain)) {
                        held.add(chain);
                        expected.add(outstanding.get(held.size() - 1));
                    }
                }
                case 2 -> {
                    if (!held.isEmpty()) {
                        int which = kind.inOrder() ? 0 : random.nextInt(held.size());
                        DescriptorChain chain = held.remove(which);
                        int token = expected.remove(which);
                        outstanding.remove((Integer) token);
                        queue.push(chain, chain.writableBytes());
                        assertThat(driver.poll()).as(context).isEqualTo(new Used(token, chain.writableBytes()));
                        done++;
                    }
                }
                default -> assertThat(driver.poll()).as(context).isNull();
            }
        }
        assertThat(added).as(context).isGreaterThanOrEqualTo(chains);
    }

    @ParameterizedTest
    @MethodSource(ALL)
    void aChainThatWasPushedCannotBePushedAgain(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, 4);
        Virtqueue queue = Virtqueue.create(driver.setup());
        driver.add(List.of(new Piece(ram.allocate(8, 8), 8, true)));
        DescriptorChain chain = new DescriptorChain();
        queue.pop(chain);
        queue.push(chain, 0);
        assertThatThrownBy(() -> queue.push(chain, 0)).isInstanceOf(IllegalStateException.class);
        assertThat(driver.poll()).isNotNull();
        assertThat(driver.poll()).isNull();
    }

    @Test
    @Tag("VQ-SPL-4")
    void aSplitDeviceWritesNeitherDescriptorsNorReadableBuffers() {
        TestDriver driver = TestDriver.create(ram, RingKind.SPLIT, 4);
        Virtqueue queue = Virtqueue.create(driver.setup());
        long readable = ram.allocate(8, 8);
        long writable = ram.allocate(8, 8);
        ram.setNumber(readable, 8, 0x1122334455667788L);
        driver.add(List.of(new Piece(readable, 8, false), new Piece(writable, 8, true)));
        byte[] before = driver.descriptors.toArray(ValueLayout.JAVA_BYTE);
        DescriptorChain chain = new DescriptorChain();
        assertThat(queue.pop(chain)).isTrue();
        queue.push(chain, chain.write(0, MemorySegment.ofArray(new byte[16]), ram.memory()));
        assertThat(driver.descriptors.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(before);
        assertThat(ram.at(readable, 8).get(ValueLayout.JAVA_LONG_UNALIGNED, 0)).isEqualTo(0x1122334455667788L);
        assertThat(driver.poll())
                .isNotNull()
                .extracting(TestDriver.Used::written)
                .isEqualTo(8L);
    }
}
