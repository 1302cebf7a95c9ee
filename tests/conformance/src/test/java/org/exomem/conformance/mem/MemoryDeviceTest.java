package org.exomem.conformance.mem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.exomem.conformance.mem.MemBackEnd.ADDRESS;
import static org.exomem.conformance.mem.MemBackEnd.BLOCK;
import static org.exomem.conformance.mem.MemBackEnd.MIB;
import static org.exomem.conformance.mem.MemBackEnd.SIZE;
import static org.exomem.conformance.mem.MemBackEnd.block;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.OptionalInt;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.conformance.guest.MemDriver.Answer;
import org.exomem.conformance.guest.MemDriver.Config;
import org.exomem.conformance.guest.MemDriver.State;
import org.exomem.linux.SharedFile;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The rules of a memory device (spec/mem.md), over a real connection. */
class MemoryDeviceTest {
    /** A limit that also suffices on a busy machine. */
    private static final Duration LIMIT = Duration.ofMinutes(1);

    @TempDir
    Path folder;

    @Test
    @Tag("MEM-CFG-2")
    void configSpaceShowsOptionsAndPluggedSize() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 64 * MIB, false);
                MemDriver driver = backEnd.connect()) {
            assertThat(driver.config()).isEqualTo(new Config(BLOCK, 1, ADDRESS, SIZE, 320 * MIB, 0, 64 * MIB));
            assertThat(driver.plug(block(3), 4)).isEqualTo(Answer.ACK);
            assertThat(driver.config().pluggedSize()).isEqualTo(4 * BLOCK);
            assertThat(driver.device().features() & 0b111).isEqualTo(0b011);
        }
    }

    @Test
    @Tag("MEM-CFG-6")
    void nothingThatTheDriverWritesIntoTheConfigSpaceCounts() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 64 * MIB, false);
                MemDriver driver = backEnd.connect()) {
            Config before = driver.config();
            driver.device().frontEnd().setConfig(0, new byte[56]);
            assertThat(driver.config()).isEqualTo(before);
        }
    }

    @Test
    @Tag("MEM-FEAT-1")
    void deviceWithoutNodeDoesNotOfferAcpiPxm() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 0, false, OptionalInt.empty());
                MemDriver driver = backEnd.connect()) {
            assertThat(driver.device().features() & 0b111).isEqualTo(0b010);
        }
    }

    @Test
    @Tag("MEM-RESP-2")
    @Tag("MEM-STATE-1")
    void blocksArePluggedUnpluggedAndTheirStateIsAnswered() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 64 * MIB, false);
                MemDriver driver = backEnd.connect()) {
            assertThat(driver.plug(block(10), 8)).isEqualTo(Answer.ACK);
            assertThat(driver.state(block(10), 8)).isEqualTo(State.PLUGGED);
            assertThat(driver.state(block(9), 2)).isEqualTo(State.MIXED);
            assertThat(driver.state(block(0), 10)).isEqualTo(State.UNPLUGGED);
            assertThat(driver.unplug(block(12), 2)).isEqualTo(Answer.ACK);
            assertThat(driver.state(block(10), 8)).isEqualTo(State.MIXED);
            assertThat(driver.unplugAll()).isEqualTo(Answer.ACK);
            assertThat(driver.config().pluggedSize()).isZero();
            assertThat(driver.unplugAll()).isEqualTo(Answer.ACK);
            assertThat(backEnd.refusals).isEmpty();
        }
    }

    @Test
    @Tag("MEM-BLK-3")
    void deviceResetChangesNoBlock() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 64 * MIB, false)) {
            try (MemDriver driver = backEnd.connect()) {
                driver.plug(block(5), 3);
                backEnd.ram.fill(block(5), 3 * BLOCK, (byte) 7);
                Config before = driver.config();
                driver.device().frontEnd().setStatus(0);
                assertThat(driver.config()).as("after status 0").isEqualTo(before);
                driver.device().frontEnd().resetDevice();
                assertThat(driver.config()).as("after RESET_DEVICE").isEqualTo(before);
            }
            try (MemDriver next = backEnd.connect()) {
                assertThat(next.state(block(5), 3)).isEqualTo(State.PLUGGED);
                assertThat(next.config().pluggedSize()).isEqualTo(3 * BLOCK);
                assertThat(backEnd.ram.getByte(block(5))).isEqualTo((byte) 7);
                assertThat(backEnd.ram.getByte(block(8) - 1)).isEqualTo((byte) 7);
            }
        }
    }

    @Test
    @Tag("MEM-BLK-2")
    void unpluggedBlocksGoBackToTheHostAndReadAsZeros() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 64 * MIB, false);
                MemDriver driver = backEnd.connect()) {
            driver.plug(block(0), 16);
            long before = backEnd.ram.hostBytes();
            backEnd.ram.fill(block(0), 16 * BLOCK, (byte) 7);
            assertThat(backEnd.ram.hostBytes()).isEqualTo(before + 16 * BLOCK);
            driver.unplug(block(4), 4);
            assertThat(backEnd.ram.hostBytes()).isEqualTo(before + 12 * BLOCK);
            assertThat(backEnd.ram.getByte(block(3) + BLOCK - 1)).isEqualTo((byte) 7);
            driver.unplugAll();
            assertThat(backEnd.ram.hostBytes()).isEqualTo(before);
            // The read is last, because reading a hole of a memfd allocates a page.
            assertThat(backEnd.ram.getByte(block(4))).isZero();
        }
    }

    @Test
    @Tag("MEM-BLK-5")
    void pluggedBlocksArePreallocatedWithTheOption() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 64 * MIB, true);
                MemDriver driver = backEnd.connect()) {
            long before = backEnd.ram.hostBytes();
            assertThat(driver.plug(block(0), 8)).isEqualTo(Answer.ACK);
            assertThat(backEnd.ram.hostBytes()).isEqualTo(before + 8 * BLOCK);
        }
    }

    @Test
    @Tag("MEM-REQ-4")
    void requestsThatBreakARuleAreErrorsAndChangeNothing() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 64 * MIB, false);
                MemDriver driver = backEnd.connect()) {
            driver.plug(block(4), 4);
            long usable = driver.config().usableSize();
            for (int type : new int[] {MemDriver.PLUG, MemDriver.UNPLUG, MemDriver.STATE}) {
                assertThat(driver.send(type, block(0) + 4096, 1).answer())
                        .as("misaligned")
                        .isEqualTo(Answer.ERROR);
                assertThat(driver.send(type, block(0), 0).answer())
                        .as("no blocks")
                        .isEqualTo(Answer.ERROR);
                assertThat(driver.send(type, ADDRESS + usable, 1).answer())
                        .as("behind")
                        .isEqualTo(Answer.ERROR);
                assertThat(driver.send(type, ADDRESS + usable - BLOCK, 2).answer())
                        .as("out of")
                        .isEqualTo(Answer.ERROR);
                assertThat(driver.send(type, ADDRESS - BLOCK, 2).answer())
                        .as("before")
                        .isEqualTo(Answer.ERROR);
                assertThat(driver.send(type, 0, 0xffff).answer())
                        .as("far before")
                        .isEqualTo(Answer.ERROR);
                assertThat(driver.send(type, -BLOCK, 2).answer()).as("wrapping").isEqualTo(Answer.ERROR);
                assertThat(driver.send(type, Long.MIN_VALUE, 0xffff).answer()).isEqualTo(Answer.ERROR);
            }
            assertThat(driver.plug(block(3), 2)).as("mixed").isEqualTo(Answer.ERROR);
            assertThat(driver.plug(block(4), 4)).as("plugged already").isEqualTo(Answer.ERROR);
            assertThat(driver.unplug(block(3), 2)).as("mixed").isEqualTo(Answer.ERROR);
            assertThat(driver.unplug(block(0), 1)).as("unplugged already").isEqualTo(Answer.ERROR);
            assertThat(driver.send(4, block(0), 1).answer()).as("unknown").isEqualTo(Answer.ERROR);
            assertThat(driver.send(0xffff, block(0), 1).answer()).as("unknown").isEqualTo(Answer.ERROR);
            assertThat(driver.config().pluggedSize()).isEqualTo(4 * BLOCK);
            assertThat(driver.state(block(4), 4)).isEqualTo(State.PLUGGED);
            // Reported once for each reason, however often it happens.
            assertThat(backEnd.refusals).hasSize(5);
        }
    }

    @Test
    @Tag("MEM-REQ-5")
    void plugBeyondTheRequestedSizeIsNotAcknowledged() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 4 * BLOCK, false);
                MemDriver driver = backEnd.connect()) {
            assertThat(driver.plug(block(0), 5)).isEqualTo(Answer.NACK);
            assertThat(driver.plug(block(0), 4)).isEqualTo(Answer.ACK);
            assertThat(driver.plug(block(4), 1)).isEqualTo(Answer.NACK);
            assertThat(backEnd.refusals)
                    .singleElement()
                    .asString()
                    .endsWith("was answered NACK: it would plug more than was requested");
            backEnd.request(2 * BLOCK);
            assertThat(driver.plug(block(4), 1)).isEqualTo(Answer.NACK);
            assertThat(driver.unplug(block(0), 1)).isEqualTo(Answer.ACK);
            assertThat(backEnd.refusals).as("news again").hasSize(2);
        }
    }

    @Test
    @Tag("MEM-CFG-4")
    @Tag("MEM-RESP-3")
    void theUsableRegionGrowsAtOnceAndShrinksOnlyWhenAllIsUnplugged() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 0, false);
                MemDriver driver = backEnd.connect()) {
            assertThat(driver.config().usableSize()).isZero();
            assertThat(driver.plug(block(0), 1)).isEqualTo(Answer.ERROR);
            backEnd.request(100 * MIB);
            driver.device().channel().await(org.exomem.conformance.frontend.Request.BackEnd.CONFIG_CHANGE);
            assertThat(driver.config().usableSize()).isEqualTo(356 * MIB);
            backEnd.request(0);
            assertThat(driver.config().usableSize()).isEqualTo(356 * MIB);
            assertThat(driver.unplugAll()).isEqualTo(Answer.ACK);
            assertThat(driver.config().usableSize()).isZero();
        }
    }

    @Test
    @Tag("MEM-BLK-3")
    void pluggedBlocksOutliveAReconnect() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 64 * MIB, false)) {
            try (MemDriver driver = backEnd.connect()) {
                driver.plug(block(5), 6);
                backEnd.ram.fill(block(5), 6 * BLOCK, (byte) 9);
            }
            try (MemDriver driver = backEnd.connect()) {
                assertThat(driver.config().pluggedSize()).isEqualTo(6 * BLOCK);
                assertThat(driver.state(block(5), 6)).isEqualTo(State.PLUGGED);
                assertThat(backEnd.ram.getByte(block(5))).isEqualTo((byte) 9);
                backEnd.systemReset();
                assertThat(driver.state(block(5), 6)).isEqualTo(State.UNPLUGGED);
                assertThat(backEnd.ram.getByte(block(5))).isZero();
            }
        }
    }

    @Test
    @Tag("MEM-REQ-9")
    void requestsAreBusyDuringMigration() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 64 * MIB, false);
                MemDriver driver = backEnd.connect();
                SharedFile log = SharedFile.memfd("log", 1 << 20)) {
            driver.plug(block(4), 4);
            backEnd.ram.fill(block(4), BLOCK, (byte) 7);
            FrontEnd frontEnd = driver.device().frontEnd();
            frontEnd.setLogBase(log, 1 << 20, 0);
            frontEnd.setFeatures(driver.device().features() | Features.LOG_ALL);
            assertThat(driver.plug(block(0), 1)).isEqualTo(Answer.BUSY);
            assertThat(driver.unplug(block(4), 4)).isEqualTo(Answer.BUSY);
            assertThat(driver.unplugAll()).isEqualTo(Answer.BUSY);
            assertThat(driver.plug(block(4), 1)).as("wrong anyway").isEqualTo(Answer.ERROR);
            assertThat(driver.plug(block(20), 100)).as("too much anyway").isEqualTo(Answer.NACK);
            assertThat(driver.state(block(4), 4)).isEqualTo(State.PLUGGED);
            assertThat(backEnd.ram.getByte(block(4))).isEqualTo((byte) 7);
            frontEnd.setFeatures(driver.device().features());
            assertThat(driver.unplug(block(4), 4)).isEqualTo(Answer.ACK);
            assertThat(backEnd.refusals)
                    .anyMatch(refusal -> refusal.endsWith("BUSY: the VM is migrating to another host"));
        }
    }

    @Test
    void responseWithoutRoomStopsTheQueueOnly() throws Exception {
        try (MemBackEnd backEnd = new MemBackEnd(folder, 64 * MIB, false)) {
            try (MemDriver driver = backEnd.connect()) {
                long request = backEnd.ram.allocate(24, 8);
                driver.write(request, MemDriver.PLUG, block(0), 1);
                driver.ring().add(List.of(Buffer.readable(request, 24), Buffer.writable(request, 9)));
                driver.ring().kick();
                org.awaitility.Awaitility.await().atMost(LIMIT).until(() -> !backEnd.faults.isEmpty());
                assertThat(backEnd.faults.getFirst())
                        .startsWith(
                                "DRIVER queue 0 is stopped until the device is reset or started again: a request has"
                                        + " space for 9");
            }
            try (MemDriver driver = backEnd.connect()) {
                assertThat(driver.plug(block(0), 1)).isEqualTo(Answer.ACK);
            }
        }
    }
}
