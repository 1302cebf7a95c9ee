package org.exomem.vhostuser.virtqueue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.exomem.vhostuser.virtqueue.TestDriver.Piece;
import org.exomem.vhostuser.virtqueue.TestDriver.Used;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A queue whose back-end ends and is replaced (vhost-user, "Inflight I/O tracking"). */
class InflightTest {
    private static final String ALL = "org.exomem.vhostuser.virtqueue.RingKind#all";
    private static final String PLAIN = "org.exomem.vhostuser.virtqueue.RingKind#plain";
    private static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT_UNALIGNED;

    private final GuestRam ram = GuestRam.of(1 << 21);
    private final Arena arena = Arena.ofShared();

    @AfterEach
    void unmap() {
        arena.close();
        ram.close();
    }

    private MemorySegment region(RingKind kind, int size) {
        return arena.allocate(InflightRegion.bytes(size, kind.features()), 64);
    }

    /** The base that a front-end without better knowledge sends after a crash. */
    private static int staleBase(RingKind kind) {
        return kind.packed() ? 0x8000_8000 : 0;
    }

    private static Virtqueue restart(TestDriver driver, MemorySegment region) {
        return Virtqueue.create(driver.setup(staleBase(driver.kind), region));
    }

    @ParameterizedTest
    @Tag("VHU-INF-3")
    @MethodSource(PLAIN)
    void aRegionHasRoomForItsHeadAndAnEntryForEachDescriptor(RingKind kind) {
        assertThat(InflightRegion.bytes(1, kind.features())).isEqualTo(64);
        assertThat(InflightRegion.bytes(128, kind.features())).isEqualTo(kind.packed() ? 4160 : 2112);
        assertThat(InflightRegion.bytes(32768, kind.features())).isEqualTo(kind.packed() ? 1048640 : 524352);
    }

    @ParameterizedTest
    @Tag("VHU-INF-3")
    @MethodSource(PLAIN)
    void aNewRegionIsInitialisedWhenTheQueueStarts(RingKind kind) {
        MemorySegment region = region(kind, 8);
        restart(TestDriver.create(ram, kind, 8), region);
        assertThat(region.get(ValueLayout.JAVA_LONG, 0)).as("features").isZero();
        assertThat(region.get(U16, 8)).as("version").isEqualTo((short) 1);
        assertThat(region.get(U16, 10)).as("desc_num").isEqualTo((short) 8);
        if (kind.packed()) {
            assertThat(region.get(U16, 12)).as("free_head").isEqualTo((short) 0);
            assertThat(region.get(ValueLayout.JAVA_BYTE, 20))
                    .as("used_wrap_counter")
                    .isEqualTo((byte) 1);
            assertThat(region.get(ValueLayout.JAVA_BYTE, 21))
                    .as("old_used_wrap_counter")
                    .isEqualTo((byte) 1);
            assertThat(region.get(U16, 32 + 2)).as("desc[0].next").isEqualTo((short) 1);
        }
    }

    /** Otherwise the second attempt would take its position from the region, and not start where the front-end said. */
    @ParameterizedTest
    @Tag("VHU-INF-5")
    @MethodSource(PLAIN)
    void aQueueThatCannotStartLeavesANewRegionAsItIs(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, 8);
        MemorySegment region = region(kind, 8);
        int tooFar = kind.packed() ? 0x8005_8001 : 9;
        for (int attempt = 0; attempt < 2; attempt++) {
            assertThatThrownBy(() -> Virtqueue.create(driver.setup(tooFar, region)))
                    .isInstanceOfAny(DriverFault.class, IllegalArgumentException.class);
            assertThat(region.mismatch(arena.allocate(region.byteSize()))).isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @Tag("VHU-INF-5")
    @MethodSource(PLAIN)
    void whatWasPoppedAndNotPushedComesAgainFirstAndInTheSameOrder(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, 8);
        MemorySegment region = region(kind, 8);
        Virtqueue queue = restart(driver, region);
        long data = ram.allocate(8 * 16, 16);
        int[] tokens = new int[8];
        DescriptorChain[] chains = new DescriptorChain[5];
        for (int i = 0; i < 8; i++) {
            tokens[i] = driver.add(List.of(new Piece(data + 16 * i, 16, true)));
        }
        for (int i = 0; i < 5; i++) {
            queue.pop(chains[i] = new DescriptorChain());
        }
        queue.push(chains[3], 1);
        queue.push(chains[0], 2);
        assertThat(driver.poll()).isEqualTo(new Used(tokens[3], 1));
        assertThat(driver.poll()).isEqualTo(new Used(tokens[0], 2));

        queue = restart(driver, region);
        assertThat(queue.needsCall())
                .as("the call for what was used may have been lost")
                .isTrue();
        int[] order = {1, 2, 4, 5, 6, 7};
        for (int i : order) {
            assertThat(queue.hasAvailable()).isTrue();
            DescriptorChain chain = new DescriptorChain();
            assertThat(queue.pop(chain)).isTrue();
            assertThat(chain.guestAddress(0)).isEqualTo(data + 16 * i);
            queue.push(chain, i);
            assertThat(driver.poll()).isEqualTo(new Used(tokens[i], i));
        }
        assertThat(queue.hasAvailable()).isFalse();
        assertThat(queue.pop(new DescriptorChain())).isFalse();
    }

    @ParameterizedTest
    @Tag("VHU-INF-4")
    @Tag("VHU-INF-5")
    @MethodSource(ALL)
    void noBufferIsLostOrUsedTwiceOverManyCrashes(RingKind kind) {
        for (int size : kind.packed() ? new int[] {1, 2, 5, 16} : new int[] {1, 2, 16}) {
            for (int seed = 0; seed < 5; seed++) {
                try {
                    liveAndCrash(kind, size, new Random(seed));
                } catch (AssertionError | RuntimeException e) {
                    throw new AssertionError(kind + ", size " + size + ", seed " + seed, e);
                }
            }
        }
    }

    private void liveAndCrash(RingKind kind, int size, Random random) {
        TestDriver driver = TestDriver.create(ram, kind, size);
        MemorySegment region = region(kind, size);
        Virtqueue queue = restart(driver, region);
        Map<Long, Integer> tokenAt = new HashMap<>();
        List<Long> offered = new ArrayList<>();
        List<DescriptorChain> held = new ArrayList<>();
        List<Integer> used = new ArrayList<>();
        long next = GuestRam.START;
        for (int step = 0; step < 2000; step++) {
            switch (random.nextInt(9)) {
                case 0, 1, 2 -> {
                    List<Piece> pieces = pieces(next, 1 + random.nextInt(driver.maxPieces()));
                    int token = driver.add(pieces);
                    if (token >= 0) {
                        tokenAt.put(next, token);
                        offered.add(next);
                        next++;
                    }
                }
                case 3, 4 -> {
                    DescriptorChain chain = new DescriptorChain();
                    assertThat(queue.pop(chain)).isEqualTo(!offered.isEmpty());
                    if (!offered.isEmpty()) {
                        assertThat(chain.guestAddress(0)).isEqualTo(offered.removeFirst());
                        held.add(chain);
                    }
                }
                case 5, 6 -> {
                    if (!held.isEmpty()) {
                        DescriptorChain chain = held.remove(kind.inOrder() ? 0 : random.nextInt(held.size()));
                        queue.push(chain, 1);
                        used.add(tokenAt.get(chain.guestAddress(0)));
                    }
                }
                case 7 -> {
                    Used got = driver.poll();
                    assertThat(got).isEqualTo(used.isEmpty() ? null : new Used(used.removeFirst(), 1));
                }
                default -> {
                    List<Long> again = new ArrayList<>();
                    held.forEach(chain -> again.add(chain.guestAddress(0)));
                    offered.addAll(0, again);
                    held.clear();
                    queue = restart(driver, region);
                }
            }
        }
    }

    private static List<Piece> pieces(long address, int count) {
        return Collections.nCopies(count, new Piece(address, 8, true));
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void aChainThatBreaksARuleIsNotInFlight(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, 4);
        MemorySegment region = region(kind, 4);
        Virtqueue queue = restart(driver, region);
        driver.add(List.of(new Piece(GuestRam.START, 8, false), new Piece(0, 8, false)));
        assertThatThrownBy(() -> queue.pop(new DescriptorChain())).isInstanceOf(DriverFault.class);
        Virtqueue next = restart(driver, region);
        assertThat(next.base()).isEqualTo(driver.initialBase());
        assertThatThrownBy(() -> next.pop(new DescriptorChain())).isInstanceOf(DriverFault.class);
    }

    private void refuses(RingKind kind, String message, Corruption corruption) {
        TestDriver driver = TestDriver.create(ram, kind, 4);
        MemorySegment region = region(kind, 4);
        Virtqueue queue = restart(driver, region);
        long data = ram.allocate(16, 16);
        driver.add(List.of(new Piece(data, 8, true)));
        driver.add(List.of(new Piece(data, 8, true)));
        queue.pop(new DescriptorChain());
        queue.pop(new DescriptorChain());
        corruption.apply(region);
        assertThatThrownBy(() -> restart(driver, region))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }

    private interface Corruption {
        void apply(MemorySegment region);
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void aRegionOfAnotherKindIsTheFrontEndsFault(RingKind kind) {
        refuses(kind, "version 2", region -> region.set(U16, 8, (short) 2));
        refuses(kind, "features 0x1", region -> region.set(ValueLayout.JAVA_BYTE, 0, (byte) 1));
        refuses(kind, "has 3 entries", region -> region.set(U16, 10, (short) 3));
        refuses(kind, "has 65535 entries", region -> region.set(U16, 10, (short) -1));
        refuses(kind, "has 100 entries", region -> region.set(U16, 10, (short) 100));
        long entry = kind.packed() ? 32 : 16;
        refuses(kind, "is marked 7", region -> region.set(ValueLayout.JAVA_BYTE, entry, (byte) 7));
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void aRegionThatIsTooShortOrMisalignedIsTheFrontEndsFault(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, 4);
        MemorySegment region = region(kind, 5);
        assertThatThrownBy(() -> restart(driver, region.asSlice(0, 48)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("has 48 bytes");
        MemorySegment odd = region(kind, 16).asSlice(4);
        assertThatThrownBy(() -> restart(driver, odd))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("not a multiple of 8");
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void listsThatMakeNoSenseAreTheFrontEndsFault(RingKind kind) {
        if (!kind.packed()) {
            // One buffer beyond those that the region knows, in a last batch without a beginning.
            refuses(kind, "names entry 4 of 4", region -> region.set(U16, 12, (short) 4));
            return;
        }
        int entry0 = 32;
        int entry1 = entry0 + 32;
        refuses(kind, "used index 4", region -> {
            region.set(U16, 16, (short) 4);
            region.set(U16, 18, (short) 4);
        });
        refuses(kind, "wrap counter 2", region -> region.set(ValueLayout.JAVA_BYTE, 21, (byte) 2));
        refuses(kind, "neither free nor in flight", region -> region.set(U16, 14, (short) 3));
        refuses(kind, "of 4 twice", region -> region.set(U16, entry1 + 64 + 2, (short) 0));
        refuses(kind, "a chain of 5", region -> region.set(U16, entry0 + 6, (short) 5));
        refuses(kind, "a chain of 0", region -> region.set(U16, entry0 + 6, (short) 0));
        refuses(kind, "not at 3 as recorded", region -> region.set(U16, entry0 + 4, (short) 3));
        refuses(
                kind,
                "ends its chain at a place that does not match",
                region -> region.set(U16, entry0 + 18, (short) 1));
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void randomBytesInARegionAreRefusedOrHarmless(RingKind kind) {
        long seed = 5;
        Random random = new Random(seed);
        int size = 8;
        for (int round = 0; round < 3000; round++) {
            if (round % 100 == 0) {
                ram.reset();
            }
            TestDriver driver = TestDriver.create(ram, kind, size);
            MemorySegment region = regionFor(kind, size);
            Virtqueue queue = restart(driver, region);
            for (int i = 0; i < 4; i++) {
                driver.add(pieces(GuestRam.START, 2));
                DescriptorChain chain = new DescriptorChain();
                queue.pop(chain);
                if (i == 1) {
                    queue.push(chain, 0);
                }
            }
            for (int i = 0; i < 1 + round % 4; i++) {
                region.set(ValueLayout.JAVA_BYTE, random.nextLong(region.byteSize()), (byte) random.nextInt(size + 2));
            }
            try {
                Virtqueue next = restart(driver, region);
                DescriptorChain chain = new DescriptorChain();
                while (next.pop(chain)) {
                    next.push(chain, 0);
                }
            } catch (IllegalArgumentException | DriverFault e) {
                assertThat(e).as("seed %d, round %d", seed, round).hasMessageMatching(".+");
            }
        }
    }

    private MemorySegment scratch = MemorySegment.NULL;

    private MemorySegment regionFor(RingKind kind, int size) {
        if (scratch.byteSize() == 0) {
            scratch = region(kind, size);
        }
        return scratch.fill((byte) 0);
    }

    @ParameterizedTest
    @MethodSource(ALL)
    void chainsThatAreUnpoppedAreNoLongerInFlightAndComeAgainInOrder(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, 8);
        MemorySegment region = region(kind, 8);
        Virtqueue queue = restart(driver, region);
        long data = ram.allocate(8 * 16, 16);
        for (int round = 0; round < 20; round++) {
            int[] tokens = new int[4];
            for (int i = 0; i < 4; i++) {
                tokens[i] = driver.add(List.of(new Piece(data + 16 * i, 16, true)));
            }
            DescriptorChain[] chains = new DescriptorChain[4];
            for (int i = 0; i < 4; i++) {
                queue.pop(chains[i] = new DescriptorChain());
            }
            queue.push(chains[0], 0);
            queue.unpop(chains[3]);
            queue.unpop(chains[2]);
            // Chains that are still in flight are found again, and may be unpopped, too.
            queue = restart(driver, region);
            assertThat(queue.pop(chains[1] = new DescriptorChain())).isTrue();
            queue.unpop(chains[1]);
            assertThat(driver.poll()).isEqualTo(new Used(tokens[0], 0));
            for (int i = 1; i < 4; i++) {
                DescriptorChain chain = new DescriptorChain();
                assertThat(queue.pop(chain)).isTrue();
                assertThat(chain.guestAddress(0)).isEqualTo(data + 16 * i);
                queue.push(chain, i);
                assertThat(driver.poll()).isEqualTo(new Used(tokens[i], i));
            }
            assertThat(queue.hasAvailable()).isFalse();
            queue = restart(driver, region);
        }
    }
}
