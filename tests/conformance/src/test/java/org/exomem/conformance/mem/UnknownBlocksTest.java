package org.exomem.conformance.mem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.exomem.conformance.mem.MemBackEnd.ADDRESS;
import static org.exomem.conformance.mem.MemBackEnd.BLOCK;
import static org.exomem.conformance.mem.MemBackEnd.MIB;
import static org.exomem.conformance.mem.MemBackEnd.SIZE;
import static org.exomem.conformance.mem.MemBackEnd.block;

import java.nio.file.Path;
import java.util.OptionalInt;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.conformance.guest.MemDriver.Answer;
import org.exomem.conformance.guest.MemDriver.State;
import org.exomem.mem.KeptBlocks;
import org.exomem.mem.MemoryRegionPlan;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A process without state meets a driver that was there before: blocks that this driver has plugged are no violation.
 */
class UnknownBlocksTest {
    private static final long LONG_ENOUGH = Long.MAX_VALUE / 2;

    @TempDir
    Path folder;

    @Test
    @Tag("STA-MEM-6")
    void unknownBlocksAreNotPatrolledUntilTheDriverStartsAnew() throws Exception {
        GuestRam ram = GuestRam.ofLayout(0, 16 * MIB, ADDRESS, SIZE);
        try (MemBackEnd old = backEnd("old", ram);
                MemDriver driver = old.connect();
                MemBackEnd fresh = backEnd("fresh", ram)) {
            driver.plug(block(0), 4);
            ram.fill(block(0), BLOCK, (byte) 7);
            int base = driver.device().stop().getFirst();

            try (AttachedDevice attached = fresh.attach(0)) {
                attached.start(driver.ring(), base, false);
                assertThat(fresh.onLoop(fresh.device::isDriverRunning)).isTrue();
                assertThat(fresh.faults.getFirst()).contains("the driver was running before this process knew");
                assertThat(fresh.onLoop(fresh.device::canPatrol)).isFalse();
                fresh.onLoop(() -> {
                    fresh.device.patrol(true, LONG_ENOUGH);
                    return true;
                });
                assertThat(ram.getByte(block(0))).isEqualTo((byte) 7);
            }
            try (MemDriver anew = fresh.connect()) {
                assertThat(anew.config().pluggedSize()).isZero();
                assertThat(fresh.onLoop(fresh.device::canPatrol)).isTrue();
                assertThat(ram.getByte(block(0))).isZero();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, Features.RING_PACKED})
    @Tag("STA-MEM-6")
    void queueBackAtItsInitialPositionIsNoNewDriver(long features) throws Exception {
        GuestRam ram = GuestRam.ofLayout(0, 16 * MIB, ADDRESS, SIZE);
        try (MemBackEnd old = backEnd("old", ram);
                MemDriver driver = old.connect(features);
                MemBackEnd fresh = backEnd("fresh", ram)) {
            driver.plug(block(0), 4);
            ram.fill(block(0), BLOCK, (byte) 7);
            int start = features == 0 ? 0 : 0x8000_8000;
            int requests = features == 0 ? 1 << 16 : 128;
            for (int i = 1; i < requests; i++) {
                driver.state(block(0), 1);
            }
            int base = driver.device().stop().getFirst();
            assertThat(base).as("round").isEqualTo(start);
            try (AttachedDevice attached = fresh.attach(features)) {
                attached.start(driver.ring(), base, false);
                assertThat(fresh.onLoop(fresh.device::canPatrol)).isFalse();
                assertThat(ram.getByte(block(0))).isEqualTo((byte) 7);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0, Features.RING_PACKED})
    @Tag("MEM-CFG-5")
    void driverWithAQueueBackAtItsInitialPositionIsToldTheRequestedSize(long features) throws Exception {
        try (MemBackEnd backEnd = backEnd("mem", GuestRam.ofLayout(0, 16 * MIB, ADDRESS, SIZE));
                MemDriver driver = backEnd.connect(features)) {
            int start = driver.ring().base();
            int requests = features == 0 ? 1 << 16 : 128;
            for (int i = 0; i < requests; i++) {
                driver.state(block(0), 1);
            }
            int base = driver.device().stop().getFirst();
            assertThat(base).as("round").isEqualTo(start);
            driver.device().frontEnd().close();
            backEnd.request(32 * MIB);
            try (AttachedDevice again = backEnd.attach(features)) {
                again.start(driver.ring(), base, false);
                again.channel().await(Request.BackEnd.CONFIG_CHANGE);
            }
        }
    }

    @Test
    @Tag("STA-MEM-6")
    void unknownBlocksStayUnknownAtTheDestination() throws Exception {
        GuestRam ram = GuestRam.ofLayout(0, 16 * MIB, ADDRESS, SIZE);
        try (MemBackEnd old = backEnd("old", ram);
                MemDriver driver = old.connect();
                MemBackEnd fresh = backEnd("fresh", ram);
                MemBackEnd destination = backEnd("destination", ram)) {
            driver.plug(block(0), 4);
            ram.fill(block(0), BLOCK, (byte) 7);
            int base = driver.device().stop().getFirst();

            byte[] state;
            try (AttachedDevice attached = fresh.attach(0)) {
                attached.start(driver.ring(), base, false);
                assertThat(driver.plug(block(9), 1)).isEqualTo(Answer.ACK);
                base = attached.frontEnd().getVringBase(0);
                state = attached.frontEnd().saveDeviceState();
            }
            try (MemDriver another = destination.connect()) {
                assertThat(destination.onLoop(destination.device::canPatrol))
                        .as("another driver was known here")
                        .isTrue();
            }
            ram.fill(block(0), BLOCK, (byte) 7);
            try (AttachedDevice moved = destination.attach(0)) {
                moved.frontEnd().loadDeviceState(state);
                moved.start(driver.ring(), base, false);
                assertThat(driver.state(block(9), 1)).isEqualTo(State.PLUGGED);
                assertThat(destination.faults)
                        .singleElement()
                        .asString()
                        .contains("the driver was running before this process knew");
                assertThat(destination.onLoop(destination.device::canPatrol)).isFalse();
                assertThat(ram.getByte(block(0))).isEqualTo((byte) 7);

                assertThat(driver.unplugAll()).isEqualTo(Answer.ACK);
                assertThat(destination.onLoop(destination.device::canPatrol)).isTrue();
                assertThat(ram.getByte(block(0))).isZero();
            }
        }
    }

    private MemBackEnd backEnd(String name, GuestRam ram) throws Exception {
        MemoryRegionPlan plan = new MemoryRegionPlan(ADDRESS, SIZE, BLOCK, OptionalInt.of(1));
        return new MemBackEnd(folder.resolve(name), KeptBlocks.ofHeap(plan), 64 * MIB, false, ram);
    }
}
