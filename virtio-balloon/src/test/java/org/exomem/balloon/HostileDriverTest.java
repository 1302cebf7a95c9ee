package org.exomem.balloon;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A driver that puts anything into any queue harms its own guest at most. */
class HostileDriverTest {
    private static final long START = 1L << 32;
    private static final int BYTES = 4 << 20;

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void whateverIsInTheQueuesOnlyFaultsOfTheDriverComeOut(long seed) throws LinuxException {
        Random random = new Random(seed);
        for (int guests = 0; guests < 40; guests++) {
            try (TestGuest guest = TestGuest.started()) {
                guest.ram.filled(START, BYTES);
                guest.balloon.startHinting();
                for (int i = 0; i < 30; i++) {
                    int index = random.nextInt(5);
                    guest.queues[index].add(chain(random, guest.queues[index]));
                    try {
                        guest.process(index);
                    } catch (DriverFault fault) {
                        assertThat(fault).as("seed " + seed).hasMessageMatching("(?s).*\\d.*");
                        break;
                    }
                    assertThat(guest.balloon.pagesInBalloon())
                            .as("seed " + seed)
                            .isBetween(0L, guest.ram.memory().size() >> 12);
                }
            }
        }
    }

    private static List<TestQueue.Piece> chain(Random random, TestQueue queue) {
        List<TestQueue.Piece> pieces = new ArrayList<>();
        for (int i = random.nextInt(3); i > 0; i--) {
            byte[] bytes = new byte[4 * (1 + random.nextInt(100)) + (random.nextInt(8) == 0 ? random.nextInt(4) : 0)];
            for (int at = 0; at + 4 <= bytes.length; at += 4) {
                int pfn =
                        random.nextInt(50) == 0 ? random.nextInt() : (int) (START >> 12) + random.nextInt(BYTES >> 12);
                System.arraycopy(TestQueue.littleEndian(pfn), 0, bytes, at, 4);
            }
            pieces.add(queue.readable(bytes));
        }
        for (int i = random.nextInt(3); i > 0 || pieces.isEmpty(); i--) {
            long address = START + random.nextInt(BYTES);
            pieces.add(TestQueue.writable(address, 1 + random.nextInt((int) (START + BYTES - address))));
        }
        return pieces;
    }
}
