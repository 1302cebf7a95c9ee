package org.exomem.vhostuser.virtqueue;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.exomem.vhostuser.memory.LatePages;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.memory.PagesLate;
import org.exomem.vhostuser.virtqueue.TestDriver.Piece;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A queue in memory of which pages are still to come. */
class LatePagesTest {
    private static final String ALL = "org.exomem.vhostuser.virtqueue.RingKind#all";
    private static final int PAGE = 4096;
    private static final int SIZE = 16;

    private final GuestRam ram = GuestRam.of(1 << 20);
    private final Arena arena = Arena.ofShared();
    private final Arriving pages = new Arriving();

    /** Pages come one at a time, when the test permits one. */
    private static final class Arriving implements LatePages {
        final BitSet here = new BitSet();
        int missing = -1;

        @Override
        public boolean areHere(long offset, long length) {
            int first = (int) (offset / PAGE);
            int end = (int) ((offset + length - 1) / PAGE) + 1;
            missing = here.nextClearBit(first);
            return missing >= end;
        }

        @Override
        public void close() {}
    }

    @AfterEach
    void unmap() {
        arena.close();
        ram.close();
    }

    private MemoryRegion region() {
        return ram.memory().regions().getFirst();
    }

    /** The pages of the ring itself are present before a queue is created. */
    private void bringRing(TestDriver driver) {
        long end = driver.deviceAddress + driver.deviceArea.byteSize();
        pages.here.set(0, (int) ((end - GuestRam.START - 1) / PAGE) + 1);
    }

    @ParameterizedTest
    @MethodSource(ALL)
    @Tag("VHU-PST-2")
    void aChainIsTakenWhenAllOfItIsHereAndNotBefore(RingKind kind) {
        long seed = 7;
        Random random = new Random(seed);
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        MemorySegment inflight = arena.allocate(InflightRegion.bytes(SIZE, kind.features()), 64);
        List<List<Piece>> chains = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            long request = ram.allocate(3 * PAGE, PAGE) + random.nextInt(PAGE);
            long response = ram.allocate(3 * PAGE, PAGE) + random.nextInt(PAGE);
            ram.set(request, i + 1);
            List<Piece> chain = List.of(
                    new Piece(request, 1 + random.nextInt(2 * PAGE), false),
                    new Piece(response, 1 + random.nextInt(2 * PAGE), true));
            chains.add(chain);
            driver.add(chain);
        }
        bringRing(driver);
        region().comesBy(pages);
        Virtqueue queue = Virtqueue.create(driver.setup(driver.initialBase(), inflight));
        DescriptorChain chain = new DescriptorChain();
        int asked = 0;
        for (int i = 0; i < chains.size(); i++) {
            int base = queue.base();
            byte[] before = inflight.toArray(ValueLayout.JAVA_BYTE);
            while (!queue.pop(chain)) {
                assertThat(queue.isLate()).as("seed %d, chain %d", seed, i).isTrue();
                assertThat(queue.base()).isEqualTo(base);
                if (!kind.packed()) {
                    assertThat(inflight.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(before);
                }
                int missing = pages.missing;
                pages.missing = -1;
                assertThat(queue.pop(chain)).as("asks once").isFalse();
                assertThat(pages.missing).isEqualTo(-1);
                pages.here.set(missing);
                queue.pagesCame();
                asked++;
            }
            for (Piece piece : chains.get(i)) {
                assertThat(pages.areHere(piece.address() - GuestRam.START, piece.length()))
                        .isTrue();
            }
            assertThat(chain.readByte(0)).isEqualTo((byte) (i + 1));
            queue.push(chain, 0);
        }
        assertThat(queue.pop(chain)).isFalse();
        assertThat(queue.isLate()).isFalse();
        assertThat(asked).isGreaterThanOrEqualTo(2 * chains.size());
    }

    @ParameterizedTest
    @MethodSource("org.exomem.vhostuser.virtqueue.RingKind#plain")
    @Tag("VHU-PST-2")
    void whatIsOnlyNamedNeedNotBeHere(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        long named = ram.allocate(2 * PAGE, PAGE);
        driver.add(List.of(new Piece(named, 2 * PAGE, true)));
        bringRing(driver);
        region().comesBy(pages);
        Virtqueue queue = Virtqueue.create(driver.setup());
        assertThat(queue.pop(DescriptorChain.leavingUnsharedOut())).isTrue();
    }

    @Test
    @Tag("VHU-PST-1")
    void aRangeThatIsNotHereIsAskedForAndNotTouched() {
        region().comesBy(pages);
        ram.memory().requireHere(GuestRam.START, PAGE);
        ram.memory().setArriving(true);
        assertThatThrownBy(() -> ram.memory().requireHere(GuestRam.START + PAGE - 1, 2))
                .isInstanceOf(PagesLate.class);
        pages.here.set(0, 2);
        ram.memory().requireHere(GuestRam.START + PAGE - 1, 2);
        // Elsewhere no memory is shared, and none can be touched.
        ram.memory().requireHere(0, PAGE);
        region().comesBy(null);
        region().requireHere(5L * PAGE, PAGE);
    }
}
