package org.exomem.vhostuser.virtqueue;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.exomem.vhostuser.virtqueue.TestDriver.Piece;
import org.exomem.vhostuser.virtqueue.TestDriver.Used;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Each ring between a driver and a device on two threads, which both sleep when the other side gives no reason to wake.
 * A missing barrier shows as a wrong payload, or as both sides asleep.
 */
class ConcurrentRingTest {
    private static final int BUFFERS = 150_000;
    private static final int SIZE = 16;
    private static final int SLOT_BYTES = 64;
    private static final int WRITABLE_OFFSET = 32;
    /** How long a side sleeps before it counts as hung; no wait takes this long in a correct run. */
    private static final int LOST_AFTER_SECONDS = 60;

    private static final ValueLayout.OfLong NUMBER = ValueLayout.JAVA_LONG_UNALIGNED;

    private final GuestRam ram = GuestRam.of(1 << 20);
    private final Semaphore kick = new Semaphore(0);
    private final Semaphore call = new Semaphore(0);

    @AfterEach
    void unmap() {
        ram.close();
    }

    private static void sleepOn(Semaphore event, String who) throws InterruptedException {
        if (!event.tryAcquire(LOST_AFTER_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("the " + who + " was never woken: a notification was lost");
        }
        event.drainPermits();
    }

    @ParameterizedTest
    @Tag("VQ-SPL-5")
    @Tag("VQ-PCK-4")
    @MethodSource("org.exomem.vhostuser.virtqueue.RingKind#all")
    void allBuffersArriveOnceWithTheirContentAndNobodySleepsForEver(RingKind kind) throws Exception {
        long seed = 7 + kind.hashCode();
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        Virtqueue queue = Virtqueue.create(driver.setup());
        CompletableFuture<Void> device = new CompletableFuture<>();
        Thread thread = Thread.ofPlatform().name("device").start(() -> {
            try {
                runDevice(queue, kind, new Random(seed));
                device.complete(null);
            } catch (Throwable e) {
                device.completeExceptionally(e);
            }
        });
        try {
            runDriver(driver, kind, new Random(seed + 1), device);
        } catch (AssertionError e) {
            throw new AssertionError(kind + ", seed " + seed + ": " + e.getMessage(), e);
        } finally {
            // The device has served all buffers, or the test has failed.
            thread.interrupt();
            thread.join();
        }
        assertThat(device).as("%s, seed %d", kind, seed).isCompleted();
    }

    /** Answers each number with its complement. Keeps some chains to push them out of order. */
    private void runDevice(Virtqueue queue, RingKind kind, Random random) throws InterruptedException {
        List<DescriptorChain> spare = new ArrayList<>();
        List<DescriptorChain> held = new ArrayList<>();
        int served = 0;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment number = arena.allocate(8);
            boolean more = queue.resumeKicks();
            while (served < BUFFERS) {
                if (!more) {
                    sleepOn(kick, "device");
                }
                queue.suppressKicks();
                while (true) {
                    DescriptorChain chain = spare.isEmpty() ? new DescriptorChain() : spare.removeLast();
                    boolean popped = queue.pop(chain);
                    (popped ? held : spare).add(chain);
                    while (!held.isEmpty() && (!popped || held.size() > random.nextInt(4))) {
                        DescriptorChain next = held.remove(kind.inOrder() ? 0 : random.nextInt(held.size()));
                        answer(next, number);
                        queue.push(next, 8);
                        spare.add(next);
                        served++;
                        if (random.nextInt(3) == 0 && queue.needsCall()) {
                            call.release();
                        }
                    }
                    if (!popped) {
                        break;
                    }
                }
                if (queue.needsCall()) {
                    call.release();
                }
                more = queue.resumeKicks();
            }
        }
    }

    private void answer(DescriptorChain chain, MemorySegment number) {
        if (chain.read(0, number) != 8) {
            throw new AssertionError("a chain with " + chain.readableBytes() + " readable bytes");
        }
        number.set(NUMBER, 0, ~number.get(NUMBER, 0));
        chain.write(0, number, ram.memory());
    }

    private void runDriver(TestDriver driver, RingKind kind, Random random, CompletableFuture<Void> device)
            throws InterruptedException {
        MemorySegment payload = ram.at(ram.allocate((long) SIZE * SLOT_BYTES, 64), (long) SIZE * SLOT_BYTES);
        long payloadAddress = ram.allocate(0, 1) - (long) SIZE * SLOT_BYTES;
        long[] numbers = new long[SIZE];
        int[] places = new int[SIZE];
        int[] freePlaces = new int[SIZE];
        int freeCount = SIZE;
        for (int i = 0; i < SIZE; i++) {
            freePlaces[i] = i;
        }
        int added = 0;
        int seen = 0;
        driver.disableCalls();
        while (seen < BUFFERS) {
            boolean progress = false;
            while (added < BUFFERS && freeCount > 0) {
                int place = freePlaces[freeCount - 1];
                long number = random.nextLong();
                payload.set(NUMBER, (long) place * SLOT_BYTES, number);
                payload.set(NUMBER, (long) place * SLOT_BYTES + WRITABLE_OFFSET, 0);
                int token = driver.add(pieces(payloadAddress + (long) place * SLOT_BYTES, driver.maxPieces(), random));
                if (token < 0) {
                    break;
                }
                freeCount--;
                numbers[token] = number;
                places[token] = place;
                added++;
                progress = true;
                if (random.nextInt(3) == 0 && driver.mustKick()) {
                    kick.release();
                }
            }
            if (driver.mustKick()) {
                kick.release();
            }
            for (Used used = driver.poll(); used != null; used = driver.poll()) {
                int place = places[used.token()];
                long answer = payload.get(NUMBER, (long) place * SLOT_BYTES + WRITABLE_OFFSET);
                if (used.written() != 8 || answer != ~numbers[used.token()]) {
                    throw new AssertionError("buffer " + seen + " has a wrong answer, " + used);
                }
                freePlaces[freeCount++] = place;
                seen++;
                progress = true;
            }
            if (!progress && seen < BUFFERS) {
                if (device.isCompletedExceptionally()) {
                    throw new AssertionError("the device failed", device.exceptionNow());
                }
                if (!driver.enableCalls()) {
                    sleepOn(call, "driver");
                }
                driver.disableCalls();
            }
        }
    }

    /** 8 readable and 8 writable bytes, in two to four pieces. */
    private static List<Piece> pieces(long address, int most, Random random) {
        long answer = address + WRITABLE_OFFSET;
        int split = 1 + random.nextInt(7);
        return switch (random.nextInt(Math.min(most, 4) - 1)) {
            case 0 -> List.of(new Piece(address, 8, false), new Piece(answer, 8, true));
            case 1 ->
                List.of(
                        new Piece(address, split, false),
                        new Piece(address + split, 8 - split, false),
                        new Piece(answer, 8, true));
            default ->
                List.of(
                        new Piece(address, split, false),
                        new Piece(address + split, 8 - split, false),
                        new Piece(answer, split, true),
                        new Piece(answer + split, 8 - split, true));
        };
    }
}
