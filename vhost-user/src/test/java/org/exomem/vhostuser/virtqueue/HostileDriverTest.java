package org.exomem.vhostuser.virtqueue;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A driver that writes arbitrary values into the ring while the device reads it. */
class HostileDriverTest {
    private static final int SIZE = 8;
    /** The total of chains popped and faults found. */
    private static final int EVENTS = 6_000;

    private static final int WRITES = 6_000;
    /** After so many polls without a result the ring is started again: it may be stuck for good. */
    private static final int PATIENCE = 32;

    private static final int STARTS_IN_A_ROW = 256;

    private final GuestRam ram = GuestRam.of(1 << 16, 1 << 12);

    @AfterEach
    void unmap() {
        ram.close();
    }

    @ParameterizedTest
    @MethodSource("org.exomem.vhostuser.virtqueue.RingKind#all")
    void randomWritesToTheRingCauseNothingButDriverFaults(RingKind kind) throws Exception {
        long seed = 99 + kind.hashCode();
        TestDriver driver = TestDriver.create(ram, kind, SIZE);
        AtomicBoolean stop = new AtomicBoolean();
        AtomicInteger writes = new AtomicInteger();
        Thread scribbler = Thread.ofPlatform().name("scribbler").start(() -> {
            Random random = new Random(seed);
            while (!stop.get()) {
                scribble(driver, random);
                writes.incrementAndGet();
            }
        });
        int pops = 0;
        int faults = 0;
        Set<String> kinds = new HashSet<>();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment inflight = arena.allocate(InflightRegion.bytes(SIZE, kind.features()), 64);
            Random random = new Random(seed + 1);
            Virtqueue queue = null;
            List<DescriptorChain> held = new ArrayList<>();
            int inVain = 0;
            int starts = 0;
            while (pops + faults < EVENTS || writes.get() < WRITES) {
                // On this thread as well as on the other, which may get no processor for a while.
                scribble(driver, random);
                try {
                    if (queue == null || inVain == PATIENCE) {
                        if (++starts % STARTS_IN_A_ROW == 0) {
                            Thread.yield();
                        }
                        inVain = 0;
                        held.clear();
                        inflight.fill((byte) 0);
                        queue = Virtqueue.create(driver.setup(driver.initialBase(), inflight));
                    }
                    DescriptorChain chain = new DescriptorChain();
                    if (queue.pop(chain)) {
                        pops++;
                        touch(chain);
                        held.add(chain);
                    } else {
                        inVain++;
                    }
                    if (!held.isEmpty() && random.nextBoolean()) {
                        DescriptorChain next = held.removeFirst();
                        queue.push(next, next.writableBytes());
                        queue.needsCall();
                    }
                    queue.resumeKicks();
                } catch (DriverFault e) {
                    faults++;
                    kinds.add(String.valueOf(e.getMessage()).replaceAll("0x[0-9a-f]+|\\d+", "#"));
                    queue = null;
                }
            }
        } catch (RuntimeException e) {
            throw new AssertionError(kind + ", seed " + seed + ": after " + pops + " chains", e);
        } finally {
            stop.set(true);
            scribbler.join();
        }
        assertThat(pops).as("chains popped, %s, seed %d", kind, seed).isPositive();
        assertThat(kinds).as("faults found, %s, seed %d", kind, seed).hasSizeGreaterThan(2);
    }

    /** Values near valid ones, so that they get far. */
    private void scribble(TestDriver driver, Random random) {
        int slot = random.nextInt(SIZE);
        long address = random.nextInt(8) == 0 ? random.nextLong() : GuestRam.START + random.nextInt((1 << 16) + 8192);
        long length = random.nextInt(4) == 0 ? random.nextInt() : random.nextInt(8) * 16L;
        int flags = random.nextInt(8) | (random.nextBoolean() ? 1 << 7 : 1 << 15);
        int number = random.nextInt(8) == 0 ? random.nextInt() : random.nextInt(SIZE);
        if (driver.kind.indirect() && random.nextBoolean()) {
            long table = driver.table(slot);
            driver.writeDescriptor(slot, table, 64, (flags & ~3) | 4, number);
            ram.setNumber(table, 8, address);
            ram.setNumber(table + 8, 4, length);
            ram.setNumber(table + 12, 4, ((long) number << 16) | (flags & 3));
        } else {
            driver.writeDescriptor(slot, address, length, flags, number);
        }
        if (driver instanceof SplitDriver split) {
            if (random.nextInt(3) == 0) {
                split.setAvailableHead(slot, random.nextInt(200) == 0 ? random.nextInt() : random.nextInt(SIZE));
            }
            if (random.nextInt(3) == 0) {
                split.setAvailableIndex(split.usedIndex() + random.nextInt(random.nextInt(10) == 0 ? SIZE + 2 : 4));
            }
        }
        if (random.nextInt(8) == 0) {
            driver.driverArea.set(JAVA_BYTE, random.nextLong(driver.driverArea.byteSize()), (byte) random.nextInt());
        }
    }

    /** Reads and writes as a device may: the memory of a chain must be accessible. */
    private static void touch(DescriptorChain chain) {
        for (int i = 0; i < chain.buffers(); i++) {
            MemoryRegion region = chain.region(i);
            region.segment().get(JAVA_BYTE, chain.offset(i));
            region.segment().get(JAVA_BYTE, chain.offset(i) + chain.length(i) - 1);
        }
    }
}
