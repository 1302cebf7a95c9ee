package org.exomem.balloon;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.exomem.linux.LinuxException;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A driver that puts anything into any queue harms only its own guest. */
class HostileDriverTest {
    private static final long START = 1L << 32;
    private static final int BYTES = 4 << 20;
    private static final int BITMAP = 5;
    /** Guests for each seed; {@code -Dexomem.fuzz=50000} for a long run. */
    private static final int GUESTS = Integer.getInteger("exomem.fuzz", 320) / 8;

    private static final long FEATURES = TestGuest.ALL_FEATURES | BalloonFeatures.FREE_PAGE_BITMAP;

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void whateverIsInTheQueuesOnlyFaultsOfTheDriverComeOut(long seed) throws LinuxException {
        Random random = new Random(seed);
        int told = 0;
        for (int guests = 0; guests < GUESTS; guests++) {
            try (TestGuest guest = new TestGuest()) {
                guest.start(FEATURES & ~(random.nextBoolean() ? BalloonFeatures.PAGE_POISON : 0), 6);
                guest.ram.filled(START, BYTES);
                for (int i = random.nextInt(4); i > 0; i--) {
                    guest.queues[BITMAP].add(bitmapMessage(random, guest));
                    guest.process(BITMAP);
                }
                guest.balloon.startHinting();
                guest.balloon.askForFreePages(BitmapRequest.ALL);
                for (int i = 0; i < 30; i++) {
                    int index = random.nextInt(6);
                    guest.queues[index].add(
                            index == BITMAP && random.nextInt(4) > 0
                                    ? bitmapMessage(random, guest)
                                    : chain(random, guest.queues[index]));
                    try {
                        guest.process(index);
                    } catch (DriverFault fault) {
                        assertThat(fault).as("seed " + seed).hasMessageMatching("(?s).*\\d.*");
                        break;
                    }
                    assertThat(guest.balloon.pagesInBalloon())
                            .as("seed " + seed)
                            .isBetween(0L, guest.ram.memory().size() >> 12);
                    assertThat(guest.balloon.freePageBitmap().bytes())
                            .as("seed " + seed)
                            .isBetween(0L, guest.ram.memory().size());
                    told = Math.max(told, guest.balloon.pageDescriptors().size());
                    guest.balloon.pageDescriptors().forEach(DescriptorText::requireWellFormed);
                }
            }
        }
        assertThat(told).as("seed %d: page descriptors", seed).isPositive();
    }

    /** A chunk or page descriptors, perhaps in two pieces. */
    private static List<TestQueue.Piece> bitmapMessage(Random random, TestGuest guest) {
        TestQueue queue = guest.queues[BITMAP];
        byte[] bytes = random.nextBoolean()
                ? chunk(random, guest.balloon.freePageBitmap().id())
                : DescriptorText.random(random);
        int cut = random.nextInt(bytes.length);
        return cut == 0
                ? List.of(queue.readable(bytes))
                : List.of(
                        queue.readable(Arrays.copyOf(bytes, cut)),
                        queue.readable(Arrays.copyOfRange(bytes, cut, bytes.length)));
    }

    /** A chunk with arbitrary content, some of it valid. */
    private static byte[] chunk(Random random, int id) {
        ByteBuffer bytes = ByteBuffer.allocate(
                        random.nextInt(8) == 0 ? 1 + random.nextInt(40) : 32 + random.nextInt(300))
                .order(ByteOrder.LITTLE_ENDIAN);
        random.nextBytes(bytes.array());
        if (bytes.capacity() >= 32) {
            bytes.putInt(0, random.nextInt(8) == 0 ? random.nextInt() : id);
            bytes.putInt(4, random.nextInt(8) == 0 ? random.nextInt() : random.nextInt(30) == 0 ? 1 << 16 : 0);
            bytes.putLong(8, random.nextInt(8) == 0 ? random.nextLong() : START + random.nextInt(BYTES) & -4096);
            bytes.putLong(16, random.nextInt(8) == 0 ? random.nextLong() : random.nextInt(8 * bytes.capacity()));
            bytes.put(24, (byte) (random.nextInt(8) == 0 ? random.nextInt() : 12 + random.nextInt(19)));
        }
        return bytes.array();
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
