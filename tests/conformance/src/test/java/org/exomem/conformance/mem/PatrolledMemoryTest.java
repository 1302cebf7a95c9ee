package org.exomem.conformance.mem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.exomem.conformance.mem.MemBackEnd.BLOCK;
import static org.exomem.conformance.mem.MemBackEnd.MIB;
import static org.exomem.conformance.mem.MemBackEnd.block;

import java.nio.file.Path;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Region;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.linux.SharedFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Content that others than the guest put into unplugged memory is not the guest's fault (MEM-VIO-6). */
class PatrolledMemoryTest {
    @TempDir
    Path folder;

    private MemBackEnd backEnd;
    private GuestRam ram;
    private MemDriver driver;

    @BeforeEach
    void start() throws Exception {
        backEnd = new MemBackEnd(folder, 64 * MIB, false);
        ram = backEnd.ram;
        driver = backEnd.connect();
        driver.plug(block(0), 2);
        ram.fill(block(0), 2 * BLOCK, (byte) 7);
    }

    @AfterEach
    void end() {
        driver.close();
        backEnd.close();
    }

    private void goOn() throws Exception {
        driver.device().start(driver.ring(), driver.ring().base(), false);
    }

    /** Nothing was found yet; memory that the guest uses is found. */
    private void assertOnlyTheGuestIsBlamed() throws Exception {
        assertThat(backEnd.patrol()).isZero();
        assertThat(ram.getByte(block(1))).as("plugged").isEqualTo((byte) 7);
        ram.fill(block(9), 8192, (byte) 5);
        assertThat(backEnd.patrol()).isEqualTo(8192);
        assertThat(ram.getByte(block(9))).isZero();
    }

    @Test
    void readsByAVmmOfAStoppedVmAreNoViolation() throws Exception {
        driver.device().stop();
        assertThat(ram.getByte(block(9))).isZero();
        goOn();
        assertOnlyTheGuestIsBlamed();
    }

    @Test
    @Tag("MEM-VIO-6")
    void readsByAMigratingVmmAreNoViolation() throws Exception {
        FrontEnd frontEnd = driver.device().frontEnd();
        try (SharedFile log = SharedFile.memfd("log", 1 << 20)) {
            frontEnd.setLogBase(log, 1 << 20, 0);
            frontEnd.setFeatures(driver.device().features() | Features.LOG_ALL);
            assertThat(ram.getByte(block(9))).isZero();
            assertThat(backEnd.onLoop(backEnd.device::canPatrol)).isFalse();
            assertThat(backEnd.onLoop(() -> backEnd.device.patrol(true, 1_000_000)))
                    .isNull();
            // The device did not move after all.
            frontEnd.setFeatures(driver.device().features());
            assertOnlyTheGuestIsBlamed();
        }
    }

    @Test
    void contentOfMemorySharedLaterIsNoViolation() throws Exception {
        FrontEnd frontEnd = driver.device().frontEnd();
        Region region = driver.device().wireRegions().getLast();
        frontEnd.removeMemoryRegion(region);
        ram.fill(block(9), BLOCK, (byte) 3);
        frontEnd.addMemoryRegion(region, ram.file().fd());
        assertThat(ram.getByte(block(9))).as("emptied at once").isZero();
        ram.file().punchHole(region.fileOffset() + 9 * BLOCK, BLOCK);
        assertOnlyTheGuestIsBlamed();
    }

    @Test
    void memoryOfASystemThatWasResetWhileDisconnectedIsNoViolation() throws Exception {
        int base = driver.device().stop().getFirst();
        driver.device().frontEnd().close();
        backEnd.systemReset();
        try (var again = backEnd.attach(0)) {
            again.start(driver.ring(), base, false);
            assertThat(backEnd.patrol()).isZero();
            assertThat(ram.getByte(block(0))).isZero();
        }
    }
}
