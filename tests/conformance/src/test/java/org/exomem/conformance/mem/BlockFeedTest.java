package org.exomem.conformance.mem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.exomem.conformance.mem.MemBackEnd.ADDRESS;
import static org.exomem.conformance.mem.MemBackEnd.BLOCK;
import static org.exomem.conformance.mem.MemBackEnd.MIB;
import static org.exomem.conformance.mem.MemBackEnd.SIZE;
import static org.exomem.conformance.mem.MemBackEnd.block;

import java.nio.file.Path;
import java.util.BitSet;
import java.util.EnumSet;
import java.util.Random;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.conformance.guest.MemDriver.Answer;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageSubscription;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A listener's view of the blocks of a memory device (spec/migration.md, MIG-STATE). */
class BlockFeedTest {
    private static final int BLOCKS = (int) (SIZE / BLOCK);

    @TempDir
    Path folder;

    private static PageSubscription subscribe(MemBackEnd backEnd) throws Exception {
        return backEnd.onLoop(
                () -> backEnd.feed.subscribe(EnumSet.of(PageFeed.Kind.PLUGGED, PageFeed.Kind.UNPLUGGED), 1 << 12));
    }

    private static void drain(PageSubscription subscription, BitSet unplugged) {
        subscription.drain((kind, session, address, length) -> unplugged.set(
                (int) ((address - ADDRESS) / BLOCK),
                (int) ((address - ADDRESS + length) / BLOCK),
                kind == PageFeed.Kind.UNPLUGGED));
    }

    @Test
    void listenerKnowsEachBlockWhenTheDriverIsAnswered() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, SIZE, false);
                MemDriver driver = backEnd.connect();
                PageSubscription first = subscribe(backEnd)) {
            Random random = new Random(1);
            BitSet known = new BitSet();
            BitSet truth = new BitSet();
            truth.set(0, BLOCKS);
            for (int i = 0; i < 300; i++) {
                int from = random.nextInt(BLOCKS);
                int count = 1 + random.nextInt(Math.min(20, BLOCKS - from));
                boolean plug = random.nextBoolean();
                Answer answer = i % 100 == 99
                        ? driver.unplugAll()
                        : plug ? driver.plug(block(from), count) : driver.unplug(block(from), count);
                if (i % 100 == 99) {
                    truth.set(0, BLOCKS);
                } else if (answer == Answer.ACK) {
                    truth.set(from, from + count, !plug);
                }
                drain(first, known);
                assertThat(known).as("after request %s", i).isEqualTo(truth);
                if (i % 30 == 0) {
                    try (PageSubscription late = subscribe(backEnd)) {
                        BitSet told = new BitSet();
                        drain(late, told);
                        assertThat(told).as("told after request %s", i).isEqualTo(truth);
                    }
                }
            }
        }
    }

    @Test
    void listenerIsToldThatASystemResetUnplugsEverything() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 64 * MIB, false);
                MemDriver driver = backEnd.connect();
                PageSubscription listener = subscribe(backEnd)) {
            driver.plug(block(3), 5);
            BitSet unplugged = new BitSet();
            drain(listener, unplugged);
            assertThat(unplugged.cardinality()).isEqualTo(BLOCKS - 5);
            backEnd.systemReset();
            drain(listener, unplugged);
            assertThat(unplugged.cardinality()).isEqualTo(BLOCKS);
        }
    }
}
