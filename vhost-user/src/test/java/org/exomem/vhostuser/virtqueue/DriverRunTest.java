package org.exomem.vhostuser.virtqueue;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.exomem.vhostuser.backend.DriverRun;
import org.exomem.vhostuser.virtqueue.TestDriver.Piece;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** How a device finds out whether the driver that starts a queue is the same as before. */
class DriverRunTest {
    private static final String PLAIN = "org.exomem.vhostuser.virtqueue.RingKind#plain";
    private static final int SIZE = 4;

    private final GuestRam ram = GuestRam.of(1 << 18);
    private final long data = ram.allocate(64, 8);
    private final DescriptorChain chain = new DescriptorChain();

    @AfterEach
    void unmap() {
        ram.close();
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void aQueueOfZerosAtItsInitialPositionIsThatOfANewDriver(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        assertThat(DriverRun.of(queue)).isEqualTo(DriverRun.NEW);
        assertThat(DriverRun.of(queue, queue.base(), 0)).isEqualTo(DriverRun.NEW);
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void aDriverThatHasMadeItsFirstBuffersAvailableBeforeTheStartIsNew(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        driver.add(List.of(new Piece(data, 8, true)));
        assertThat(DriverRun.of(Virtqueue.create(driver.setup()))).isEqualTo(DriverRun.NEW);
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void aQueueThatStartsWhereItStoppedIsThatOfTheSameDriver(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        int base = serve(driver, driver.initialBase(), 3);
        Virtqueue queue = Virtqueue.create(driver.setup(base, null));
        assertThat(DriverRun.of(queue)).isEqualTo(DriverRun.GOES_ON);
        assertThat(DriverRun.of(queue, base, 0)).isEqualTo(DriverRun.GOES_ON);
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void aQueueThatStartsElsewhereThanItStoppedIsThatOfAnotherDriver(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        int noted = serve(driver, driver.initialBase(), 1);
        int base = serve(driver, noted, 2);
        Virtqueue queue = Virtqueue.create(driver.setup(base, null));
        assertThat(DriverRun.of(queue, noted, 0)).isEqualTo(DriverRun.NEW);
        assertThat(DriverRun.of(queue, noted, 2))
                .as("where two moves may not have been noted")
                .isEqualTo(DriverRun.GOES_ON);
    }

    @ParameterizedTest
    @MethodSource(PLAIN)
    void aQueueThatHasComeRoundToItsInitialPositionMayBeThatOfEitherDriver(RingKind kind) {
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        int rounds = kind.packed() ? 2 * SIZE : 1 << 16;
        int base = serve(driver, driver.initialBase(), rounds);
        assertThat(base).isEqualTo(driver.initialBase());
        Virtqueue queue = Virtqueue.create(driver.setup(base, null));
        assertThat(DriverRun.of(queue)).isEqualTo(DriverRun.UNKNOWN);
        assertThat(DriverRun.of(queue, base, 0)).isEqualTo(DriverRun.UNKNOWN);
    }

    /** Starts the queue, uses buffers one by one, stops it, and returns its position. */
    private int serve(TestDriver driver, int base, int buffers) {
        Virtqueue queue = Virtqueue.create(driver.setup(base, null));
        for (int i = 0; i < buffers; i++) {
            driver.add(List.of(new Piece(data, 8, true)));
            assertThat(queue.pop(chain)).isTrue();
            queue.push(chain, 1);
            driver.poll();
        }
        return queue.base();
    }
}
