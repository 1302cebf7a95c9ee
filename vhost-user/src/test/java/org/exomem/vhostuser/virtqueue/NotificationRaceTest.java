package org.exomem.vhostuser.virtqueue;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.exomem.vhostuser.virtqueue.TestDriver.Piece;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The two places where device and driver each store a number and then load the other's. Each race is run once in each
 * of many rings, by two threads in step. The only forbidden outcome is that both sides miss the other's store. It
 * appears within a fraction of these rounds if either full fence is left out.
 */
class NotificationRaceTest {
    private static final int RINGS = 500;
    private static final int PASSES = 150;
    /** The limit for the wait of one side for the other, which may have no processor. */
    private static final int PATIENCE = 500;

    private final GuestRam ram = GuestRam.of(1 << 20);
    private final List<Piece> piece = List.of(new Piece(ram.allocate(8, 8), 8, true));
    private final AtomicInteger deviceAt = new AtomicInteger();
    private final AtomicInteger driverAt = new AtomicInteger();

    @AfterEach
    void unmap() {
        ram.close();
    }

    private static void keepStep(AtomicInteger mine, AtomicInteger other, int index) {
        mine.setRelease(index);
        for (int i = 0; i < PATIENCE && other.getAcquire() < index; i++) {
            Thread.onSpinWait();
        }
    }

    /** Runs both sides of {@link #RINGS} races at the same time, and then {@code after}. */
    private void race(IntConsumer device, IntConsumer driver, Runnable after) throws Exception {
        AtomicInteger failures = new AtomicInteger();
        CyclicBarrier barrier = new CyclicBarrier(2, () -> {
            deviceAt.set(-1);
            driverAt.set(-1);
        });
        Thread deviceThread = Thread.ofPlatform().name("device").start(() -> {
            try {
                for (int pass = 0; pass < PASSES; pass++) {
                    barrier.await();
                    for (int i = 0; i < RINGS; i++) {
                        keepStep(deviceAt, driverAt, i);
                        device.accept(i);
                    }
                    barrier.await();
                }
            } catch (Exception e) {
                failures.incrementAndGet();
                barrier.reset();
            }
        });
        try {
            for (int pass = 0; pass < PASSES; pass++) {
                barrier.await();
                for (int i = 0; i < RINGS; i++) {
                    keepStep(driverAt, deviceAt, i);
                    driver.accept(i);
                }
                barrier.await();
                // The device's thread waits at its barrier meanwhile.
                after.run();
            }
        } finally {
            barrier.reset();
            deviceThread.interrupt();
            deviceThread.join();
        }
        assertThat(failures).hasValue(0);
    }

    private TestDriver[] drivers(RingKind kind) {
        return IntStream.range(0, RINGS)
                .mapToObj(i -> TestDriver.create(ram, kind, 2))
                .toArray(TestDriver[]::new);
    }

    private static Virtqueue[] queues(TestDriver[] drivers) {
        return IntStream.range(0, RINGS)
                .mapToObj(i -> Virtqueue.create(drivers[i].setup()))
                .toArray(Virtqueue[]::new);
    }

    @ParameterizedTest
    @Tag("VQ-SPL-6")
    @Tag("VQ-PCK-8")
    @MethodSource("org.exomem.vhostuser.virtqueue.RingKind#notifying")
    void aDriverThatEnablesCallsWhileABufferIsUsedIsCalledOrSeesIt(RingKind kind) throws Exception {
        TestDriver[] drivers = drivers(kind);
        Virtqueue[] queues = queues(drivers);
        DescriptorChain[] chains = new DescriptorChain[RINGS];
        for (int i = 0; i < RINGS; i++) {
            chains[i] = new DescriptorChain();
        }
        boolean[] called = new boolean[RINGS];
        boolean[] seen = new boolean[RINGS];
        AtomicInteger lost = new AtomicInteger();
        Runnable prepare = () -> {
            for (int i = 0; i < RINGS; i++) {
                drivers[i].disableCalls();
                drivers[i].add(piece);
                queues[i].pop(chains[i]);
            }
        };
        prepare.run();
        race(
                i -> {
                    queues[i].push(chains[i], 0);
                    called[i] = queues[i].needsCall();
                },
                i -> seen[i] = drivers[i].enableCalls(),
                () -> {
                    for (int i = 0; i < RINGS; i++) {
                        lost.addAndGet(called[i] || seen[i] ? 0 : 1);
                        drivers[i].poll();
                    }
                    prepare.run();
                });
        assertThat(lost).as("calls lost, of %d", RINGS * PASSES).hasValue(0);
    }

    @ParameterizedTest
    @Tag("VQ-SPL-6")
    @Tag("VQ-PCK-8")
    @MethodSource("org.exomem.vhostuser.virtqueue.RingKind#notifying")
    void aDeviceThatResumesKicksWhileABufferComesIsKickedOrSeesIt(RingKind kind) throws Exception {
        TestDriver[] drivers = drivers(kind);
        Virtqueue[] queues = queues(drivers);
        DescriptorChain chain = new DescriptorChain();
        boolean[] seen = new boolean[RINGS];
        boolean[] kicked = new boolean[RINGS];
        AtomicInteger lost = new AtomicInteger();
        for (Virtqueue queue : queues) {
            queue.suppressKicks();
        }
        race(
                i -> seen[i] = queues[i].resumeKicks(),
                i -> {
                    drivers[i].add(piece);
                    kicked[i] = drivers[i].mustKick();
                },
                () -> {
                    for (int i = 0; i < RINGS; i++) {
                        lost.addAndGet(kicked[i] || seen[i] ? 0 : 1);
                        queues[i].suppressKicks();
                        queues[i].pop(chain);
                        queues[i].push(chain, 0);
                        drivers[i].poll();
                    }
                });
        assertThat(lost).as("kicks lost, of %d", RINGS * PASSES).hasValue(0);
    }
}
