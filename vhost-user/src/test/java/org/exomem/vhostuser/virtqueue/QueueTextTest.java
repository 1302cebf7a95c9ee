package org.exomem.vhostuser.virtqueue;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.exomem.vhostuser.virtqueue.TestDriver.Piece;
import org.junit.jupiter.api.Test;

/** A queue's description of itself for debugging. */
class QueueTextTest {
    private static final int SIZE = 4;

    private final GuestRam ram = GuestRam.of(1 << 18);
    private final long data = ram.allocate(64, 8);

    private Virtqueue queueWithOneOfThreeChainsUsedAndOneInHand(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        for (int i = 0; i < 3; i++) {
            driver.add(List.of(new Piece(data, 8, true)));
        }
        DescriptorChain used = new DescriptorChain();
        assertThat(queue.pop(used)).isTrue();
        queue.push(used, 1);
        assertThat(queue.pop(new DescriptorChain())).isTrue();
        return queue;
    }

    @Test
    void aSplitQueueShowsItsPositionsAndItsRing() {
        String text = queueWithOneOfThreeChainsUsedAndOneInHand(RingKind.SPLIT).toString();
        ram.close();
        assertThat(text)
                .contains("queue 0 of size 4", "1 chains in hand", "available 2 (known up to 3), used 1")
                .contains("available idx 3, flags 0", "used idx 1, flags 0");
    }

    @Test
    void aPackedQueueShowsItsPositionsAndItsRing() {
        String text = queueWithOneOfThreeChainsUsedAndOneInHand(RingKind.PACKED).toString();
        ram.close();
        assertThat(text)
                .contains(
                        "queue 0 of size 4", "1 chains in hand", "available 2 (wrap 1), used 1 (wrap 1), 1 slots taken")
                .contains("flags of slot 2 0x82", "device events flags 0");
    }

    @Test
    void aQueueWhoseMemoryIsGoneShowsWhatIsKnown() {
        for (RingKind kind : List.of(RingKind.SPLIT, RingKind.PACKED)) {
            GuestRam gone = GuestRam.of(1 << 18);
            Virtqueue queue =
                    Virtqueue.create(TestDriver.create(gone, kind, SIZE).setup());
            gone.close();
            assertThat(queue.toString()).contains("queue 0 of size 4", "its memory is inaccessible");
        }
        ram.close();
    }
}
