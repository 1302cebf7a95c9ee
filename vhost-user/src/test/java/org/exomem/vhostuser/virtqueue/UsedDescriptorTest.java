package org.exomem.vhostuser.virtqueue;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.exomem.vhostuser.virtqueue.TestDriver.Piece;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What the next process finds in a packed ring if the device's process is killed while it returns a buffer. */
class UsedDescriptorTest {
    private static final int SIZE = 32768;
    private static final int LENGTH = 16;
    private static final int WRITTEN = 7;
    private static final int BOTH = PackedDriver.AVAIL | PackedDriver.USED;

    @Test
    @Tag("VQ-PCK-4")
    void isWhatTheDriverMadeItOrUsedAtEachInstant() throws InterruptedException {
        try (GuestRam ram = GuestRam.of(16 << 20)) {
            TestDriver driver = TestDriver.create(ram, RingKind.PACKED, SIZE);
            Virtqueue queue = Virtqueue.create(driver.setup());
            List<Piece> piece = List.of(new Piece(ram.allocate(LENGTH, 8), LENGTH, true));
            DescriptorChain[] chains = new DescriptorChain[SIZE];
            for (int i = 0; i < SIZE; i++) {
                driver.add(piece);
                chains[i] = new DescriptorChain();
                assertThat(queue.pop(chains[i])).isTrue();
            }
            AtomicLong neither = new AtomicLong();
            Thread observer = Thread.ofPlatform().start(() -> {
                for (int slot = 0; slot < SIZE; slot++) {
                    boolean used;
                    do {
                        long rest = (long) TestDriver.U64.getOpaque(driver.descriptors, slot * 16L + 8);
                        used = (rest >>> 48 & BOTH) == BOTH;
                        if ((rest & 0xffff_ffffL) != (used ? WRITTEN : LENGTH)) {
                            neither.incrementAndGet();
                        }
                    } while (!used);
                }
            });
            for (DescriptorChain chain : chains) {
                queue.push(chain, WRITTEN);
            }
            observer.join();
            assertThat(neither).as("instants at which a descriptor was neither").hasValue(0);
        }
    }
}
