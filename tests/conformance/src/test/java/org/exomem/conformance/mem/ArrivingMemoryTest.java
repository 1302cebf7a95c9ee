package org.exomem.conformance.mem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.exomem.conformance.ArrivingGuest;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.LateMemory;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.conformance.guest.Used;
import org.exomem.linux.LateMapping;
import org.exomem.mem.KeptBlocks;
import org.exomem.mem.MemoryRegionPlan;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A memory device that works while the memory of its guest arrives page by page. */
class ArrivingMemoryTest {
    private static final long MIB = MemBackEnd.MIB;
    private static final long SIZE = 16 * MIB;
    private static final long BLOCK = MemBackEnd.BLOCK;
    private static final int RING_SIZE = 64;
    private static final int PLUG = 0;
    private static final int UNPLUG = 1;
    private static final int UNPLUG_ALL = 2;
    private static final int STATE = 3;
    private static final int UNKNOWN = 7;
    private static final int ACK = 0;
    private static final int BUSY = 2;
    private static final int ERROR = 3;
    private static final Duration LIMIT = Duration.ofMinutes(1);

    @TempDir
    Path folder;

    private MemBackEnd backEnd;
    private ArrivingGuest guest;
    private RingDriver ring;
    private final List<Long> responses = new ArrayList<>();

    @BeforeEach
    void start() throws Exception {
        assumeTrue(LateMapping.isPossible(), "this host lets nobody have such a userfaultfd");
        GuestRam ram = GuestRam.ofLayout(0, 4 * MIB, MemBackEnd.ADDRESS, SIZE);
        backEnd = new MemBackEnd(
                folder.resolve("s"),
                KeptBlocks.ofHeap(new MemoryRegionPlan(MemBackEnd.ADDRESS, SIZE, BLOCK, OptionalInt.empty())),
                8 * MIB,
                false,
                ram);
        guest = new ArrivingGuest(FrontEnd.connect(backEnd.socket), ram, 0b111);
        ring = guest.addRing(0, RING_SIZE);
    }

    @AfterEach
    void end() {
        if (guest != null) {
            guest.close();
        }
        if (backEnd != null) {
            backEnd.close();
        }
    }

    private void add(int type, long address, int blocks) {
        GuestRam ram = guest.ram;
        long request = ram.allocate(GuestRam.PAGE, GuestRam.PAGE);
        long response = ram.allocate(GuestRam.PAGE, GuestRam.PAGE);
        ram.putShort(request, type);
        ram.putLong(request + 8, address);
        ram.putShort(request + 16, blocks);
        ram.putShort(response, 0x5a5a);
        responses.add(response);
        ring.add(List.of(Buffer.readable(request, 24), Buffer.writable(response, 10)));
    }

    private int answer(int request) {
        Used used = ring.poll();
        assertThat(used).isNotNull();
        return guest.ram.getShort(responses.get(request));
    }

    private int ask(int type, long address, int blocks) throws Exception {
        add(type, address, blocks);
        ring.kick();
        ring.await(LIMIT);
        return guest.ram.getShort(responses.getLast());
    }

    private static long block(long index) {
        return MemBackEnd.ADDRESS + index * BLOCK;
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    @Tag("VHU-PST-1")
    @Tag("VHU-PST-9")
    @Tag("MEM-BLK-8")
    void blocksStayAsTheyAreUntilAllMemoryIsHere(long seed) throws Exception {
        // An unplugged block has content: a VMM of the other host may have read there.
        guest.ram.putByte(block(5), 1);
        add(STATE, block(0), 1);
        add(PLUG, block(0), 2);
        add(UNPLUG, block(0), 1);
        add(PLUG, block(0) + 1, 1);
        add(UNPLUG_ALL, 0, 0);
        add(UNKNOWN, 0, 0);
        LateMemory memory = guest.leave();
        guest.listen();
        memory.start(seed, true);
        guest.start(ring);
        await().atMost(LIMIT).until(memory::isComplete);
        // Each reason is reported once: the last of four is that of the last request.
        await().atMost(LIMIT).until(() -> backEnd.onLoop(() -> backEnd.refusals.size()) == 4);
        assertThat(backEnd.onLoop(backEnd.device::canPatrol)).isFalse();
        guest.arrive();
        assertThat(answer(0)).as("STATE").isEqualTo(ACK);
        assertThat(answer(1)).as("PLUG").isEqualTo(BUSY);
        assertThat(answer(2)).as("UNPLUG of what is not plugged").isEqualTo(ERROR);
        assertThat(answer(3)).as("PLUG of no block").isEqualTo(ERROR);
        assertThat(answer(4)).as("UNPLUG ALL").isEqualTo(BUSY);
        assertThat(answer(5)).as("no request").isEqualTo(ERROR);

        // Deferred work is done, and blocks can be plugged.
        await().atMost(LIMIT).until(() -> backEnd.onLoop(backEnd.device::canPatrol));
        long page = memory.page(block(5)) * GuestRam.PAGE;
        assertThat(guest.ram.file().nextHole(page))
                .as("unplugged memory is empty")
                .isEqualTo(page);
        assertThat(ask(PLUG, block(0), 2)).isEqualTo(ACK);
        assertThat(ask(UNPLUG, block(0), 1)).isEqualTo(ACK);
        assertThat(ask(UNPLUG_ALL, 0, 0)).isEqualTo(ACK);
    }

    @Test
    @Tag("MEM-BLK-8")
    void aSystemResetWaitsForTheLastPage() throws Exception {
        guest.ram.putByte(block(0), 1);
        LateMemory memory = guest.leave();
        guest.listen();
        memory.start(1, true);
        guest.start(ring);
        await().atMost(LIMIT).until(memory::isComplete);
        CompletableFuture<Void> reset = backEnd.onLoop(backEnd.device::systemReset);
        assertThat(guest.ram.file().allocatedBytes()).as("all is as it came").isEqualTo(guest.ram.size());
        assertThat(reset).isNotDone();
        guest.arrive();
        reset.get(LIMIT.toSeconds(), TimeUnit.SECONDS);
        assertThat(guest.ram.getByte(block(0))).isZero();
    }
}
