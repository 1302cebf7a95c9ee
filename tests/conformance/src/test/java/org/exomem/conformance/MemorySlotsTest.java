package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.frontend.RequestRefusedException;
import org.exomem.conformance.guest.Buffer;
import org.exomem.linux.SharedFile;
import org.exomem.vhostuser.backend.FaultKind;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Memory that is added and removed in many pieces while queues run. */
class MemorySlotsTest {
    private static final long PIECE = 64 << 10;
    private static final long FROM = 1L << 32;
    private static final int SLOTS = 509;
    private static final Duration LONGEST_STEP = Duration.ofMillis(20);
    private static final int ROUNDS = 20;

    @TempDir
    Path folder;

    EchoBackEnd backEnd;
    EchoGuest guest;
    FrontEnd frontEnd;
    SharedFile file;
    List<Region> added = new ArrayList<>();

    @BeforeEach
    void start() throws Exception {
        backEnd = new EchoBackEnd(folder.resolve("s"));
        guest = EchoGuest.start(backEnd);
        frontEnd = guest.frontEnd();
        file = SharedFile.memfd("pieces", SLOTS * PIECE);
    }

    @AfterEach
    void end() {
        file.close();
        guest.close();
        backEnd.close();
    }

    private void add(int index) throws Exception {
        Region region = new Region(FROM + index * PIECE, PIECE, (1L << 45) + index * PIECE, index * PIECE);
        frontEnd.addMemoryRegion(region, file.fd());
        added.add(region);
    }

    @Test
    @Tag("VHU-MEM-12")
    void memoryAboveTheLimitIsRefusedAndTheDeviceGoesOn() throws Exception {
        long limit = (4 << 20) + PIECE;
        try (EchoBackEnd limited = new EchoBackEnd(folder.resolve("limited"), limit);
                EchoGuest small = EchoGuest.start(limited)) {
            small.frontEnd().addMemoryRegion(new Region(FROM, PIECE, 1L << 45, 0), file.fd());
            Region oneTooMany = new Region(FROM + PIECE, PIECE, (1L << 45) + PIECE, PIECE);
            assertThatThrownBy(() -> small.frontEnd().addMemoryRegion(oneTooMany, file.fd()))
                    .isInstanceOf(RequestRefusedException.class);
            limited.awaitFault(FaultKind.FRONT_END, "the limit for a VM is " + limit + " bytes");
            small.assertEcho();
        }
    }

    @Test
    @Tag("VHU-MEM-12")
    void memoryThatIsTakenAwayWhileAQueueWaitsCountsUntilItIsUnmapped() throws Exception {
        long limit = 16 << 20;
        long most = limit;
        try (EchoBackEnd limited = new EchoBackEnd(folder.resolve("limited"), limit);
                EchoGuest small = EchoGuest.start(limited);
                SharedFile sparse = SharedFile.memfd("sparse", most)) {
            Region ram = small.device.wireRegions().getFirst();
            small.frontEnd().removeMemoryRegion(ram);
            Region all = new Region(FROM, most, 1L << 45, 0);
            small.frontEnd().addMemoryRegion(all, sparse.fd());
            small.frontEnd().removeMemoryRegion(all);
            assertThatThrownBy(() -> small.frontEnd().addMemoryRegion(all, sparse.fd()))
                    .isInstanceOf(RequestRefusedException.class);
            limited.awaitFault(FaultKind.FRONT_END, "removed but still in use by a queue");
            small.frontEnd().addMemoryRegion(ram, small.ram.file().fd());
            small.assertEcho();
            // Now it is unmapped, and its room is free again.
            Region rest = new Region(FROM, limit - ram.size(), 1L << 45, 0);
            for (int i = 0; i < 5; i++) {
                small.frontEnd().addMemoryRegion(rest, sparse.fd());
                small.frontEnd().removeMemoryRegion(rest);
            }
            small.assertEcho();
        }
    }

    /** The longest step of the loop, whatever the front-end sends. It bounds the delay of the VM's other devices. */
    @Test
    @Tag("VHU-MSG-5")
    void noStepOfTheEventLoopIsLongThoughEverySlotIsTakenAwayAtOnce() throws Exception {
        long best = Long.MAX_VALUE;
        // On a busy machine other processes interrupt a step: one undisturbed round is enough.
        for (int round = 0; round < ROUNDS && best > LONGEST_STEP.toNanos(); round++) {
            AtomicLong longest = new AtomicLong();
            for (int i = 0; i < SLOTS - 1; i++) {
                add(i);
            }
            AtomicBoolean stop = new AtomicBoolean();
            CountDownLatch stopped = new CountDownLatch(1);
            measureSteps(System.nanoTime(), longest, stop, stopped);
            frontEnd.setMemTable(
                    guest.device.wireRegions(), List.of(guest.ram.file().fd()));
            added.clear();
            guest.assertEcho();
            stop.set(true);
            stopped.await();
            best = Math.min(best, longest.get());
        }
        assertThat(Duration.ofNanos(best))
                .as("the longest time between two looks of the loop at its tasks, in the best round")
                .isLessThan(LONGEST_STEP);
    }

    private void measureSteps(long before, AtomicLong longest, AtomicBoolean stop, CountDownLatch stopped) {
        backEnd.loop.schedule(Duration.ZERO, () -> {
            long now = System.nanoTime();
            longest.accumulateAndGet(now - before, Math::max);
            if (stop.get()) {
                stopped.countDown();
            } else {
                measureSteps(now, longest, stop, stopped);
            }
        });
    }

    @Test
    @Tag("VHU-MEM-2")
    void allSlotsAreFilledAndEmptiedWhileAQueueRuns() throws Exception {
        HeldResources before = HeldResources.now();
        for (int i = 0; i < SLOTS - 1; i++) {
            add(i);
            if (i % 50 == 0) {
                guest.assertEcho();
            }
        }
        assertThatThrownBy(() -> add(SLOTS - 1)).isInstanceOf(RequestRefusedException.class);
        guest.assertEcho();
        for (Region region : added.reversed()) {
            frontEnd.removeMemoryRegion(region);
        }
        guest.assertEcho();
        before.assertSameNow();
        assertThat(backEnd.device.memoryChanges).isGreaterThanOrEqualTo(2 * (SLOTS - 1));
    }

    @Test
    @Tag("VHU-MEM-12")
    void memoryFarAboveTheHostsIsRefused() throws Exception {
        long size = 1L << 46;
        try (SharedFile sparse = SharedFile.memfd("sparse", size)) {
            Region region = new Region(FROM, size, 1L << 46, 0);
            assertThatThrownBy(() -> frontEnd.addMemoryRegion(region, sparse.fd()))
                    .isInstanceOf(RequestRefusedException.class);
        }
        guest.assertEcho();
    }

    @Test
    void aBufferMayLieAcrossRegions() throws Exception {
        for (int i = 0; i < 4; i++) {
            add(i);
        }
        guest.ram.fill(1 << 20, 3 * PIECE, (byte) 0x5a);
        // From the middle of the first piece to the middle of the last.
        guest.ring.transfer(
                List.of(Buffer.readable(1 << 20, 3 * PIECE), Buffer.writable(FROM + PIECE / 2, 3 * PIECE)),
                FrontEnd.LIMIT);
        guest.ram.fill(2 << 20, 3 * PIECE, (byte) 0);
        guest.ring.transfer(
                List.of(Buffer.readable(FROM + PIECE / 2, 3 * PIECE), Buffer.writable(2 << 20, 3 * PIECE)),
                FrontEnd.LIMIT);
        assertThat(guest.ram.bytes(2 << 20, 3 * PIECE).mismatch(guest.ram.bytes(1 << 20, 3 * PIECE)))
                .isEqualTo(-1);
    }

    @Test
    @Tag("VHU-MEM-11")
    void aRingWaitsWhileItsMemoryIsAwayAndGoesOnWhenItIsBack() throws Exception {
        HeldResources before = HeldResources.now();
        Region ram = guest.device.wireRegions().getFirst();
        frontEnd.removeMemoryRegion(ram);
        int id = guest.ring.add(guest.prepare(new byte[] {5}));
        guest.ring.kick();
        assertThat(frontEnd.getQueueNum()).isEqualTo(EchoDevice.QUEUES);
        assertThat(guest.ring.poll()).isNull();
        frontEnd.addMemoryRegion(ram, guest.ram.file().fd());
        assertThat(guest.ring.await(FrontEnd.LIMIT).id()).isEqualTo(id);
        guest.assertEcho();
        before.assertSameNow();
    }

    @Test
    void aRingWhoseMemoryIsAwayCanBeStopped() throws Exception {
        Region ram = guest.device.wireRegions().getFirst();
        guest.assertEcho();
        HeldResources before = HeldResources.now();
        frontEnd.removeMemoryRegion(ram);
        assertThat(frontEnd.getVringBase(0)).isEqualTo(1);
        assertThat(frontEnd.getVringBase(EchoDevice.HOLDING)).isZero();
        assertThat(HeldResources.now().sharedMappings()).isEqualTo(before.sharedMappings() - 1);
        frontEnd.addMemoryRegion(ram, guest.ram.file().fd());
        guest.device.start();
        guest.assertEcho();
    }

    @Test
    void regionsMayChangeWithoutLimitWhileAllRingsHaveTheirMemory() throws Exception {
        Region ram = guest.device.wireRegions().getFirst();
        frontEnd.removeMemoryRegion(ram);
        assertThatThrownBy(() -> {
                    for (int i = 0; i <= SLOTS; i++) {
                        add(0);
                        frontEnd.removeMemoryRegion(added.getFirst());
                    }
                })
                .isInstanceOf(RequestRefusedException.class);
    }

    @Test
    @Tag("VHU-MEM-1")
    void everyRegionOfATableIsReplacedWhileAQueueRuns() throws Exception {
        Region ram = guest.device.wireRegions().getFirst();
        HeldResources before = HeldResources.now();
        for (int i = 0; i < 20; i++) {
            frontEnd.setMemTable(List.of(ram), List.of(guest.ram.file().fd()));
            guest.assertEcho();
        }
        before.assertSameNow();
    }
}
