package org.exomem.conformance.mem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.exomem.conformance.mem.MemBackEnd.ADDRESS;
import static org.exomem.conformance.mem.MemBackEnd.BLOCK;
import static org.exomem.conformance.mem.MemBackEnd.MIB;
import static org.exomem.conformance.mem.MemBackEnd.SIZE;
import static org.exomem.conformance.mem.MemBackEnd.block;

import java.io.EOFException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalInt;
import java.util.zip.CRC32C;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.Request;
import org.exomem.conformance.frontend.RequestRefusedException;
import org.exomem.conformance.frontend.StateChannel;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.MemDriver;
import org.exomem.conformance.guest.MemDriver.Answer;
import org.exomem.conformance.guest.MemDriver.State;
import org.exomem.linux.Fd;
import org.exomem.linux.PipeEnd;
import org.exomem.linux.SharedFile;
import org.exomem.linux.UnixSockets;
import org.exomem.mem.KeptBlocks;
import org.exomem.mem.MemoryRegionPlan;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A memory device's state moves from one process to another through the front-end (STA-MOV). */
class MovedMemoryTest {
    private static final long FAILED = 0x101;
    private static final long NO_FD = 0x100;
    private static final int SAVE = 0;
    private static final int LOAD = 1;

    @TempDir
    Path folder;

    private int backEnds;

    private MemBackEnd backEnd(MemoryRegionPlan plan, GuestRam ram) throws Exception {
        return new MemBackEnd(folder.resolve("mem" + backEnds++), KeptBlocks.ofHeap(plan), 0, false, ram);
    }

    private MemBackEnd backEnd() throws Exception {
        return backEnd(plan(ADDRESS, SIZE, BLOCK, -1), GuestRam.ofLayout(0, 16 * MIB, ADDRESS, SIZE));
    }

    private static MemoryRegionPlan plan(long address, long size, long blockSize, int node) {
        return new MemoryRegionPlan(address, size, blockSize, node < 0 ? OptionalInt.empty() : OptionalInt.of(node));
    }

    /** The state of a device with blocks 5 to 7 and 100 plugged, of 64 MiB that are requested. */
    private byte[] savedState(MemBackEnd source) throws Exception {
        try (MemDriver driver = source.connect()) {
            return savedState(source, driver);
        }
    }

    private static byte[] savedState(MemBackEnd source, MemDriver driver) throws Exception {
        source.request(64 * MIB);
        assertThat(driver.plug(block(5), 3)).isEqualTo(Answer.ACK);
        assertThat(driver.plug(block(100), 1)).isEqualTo(Answer.ACK);
        driver.device().stop();
        return driver.device().frontEnd().saveDeviceState();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, Features.RING_PACKED})
    @Tag("STA-MOV-5")
    void driverGoesOnAtTheDestination(long features) throws Exception {
        GuestRam ram = GuestRam.ofLayout(0, 16 * MIB, ADDRESS, SIZE);
        try (MemBackEnd source = backEnd(plan(ADDRESS, SIZE, BLOCK, -1), ram);
                MemBackEnd destination = backEnd(plan(ADDRESS, SIZE, BLOCK, -1), ram);
                MemDriver driver = source.connect(features)) {
            byte[] state = savedState(source, driver);
            try (AttachedDevice moved = destination.attach(features)) {
                // The destination's memory came over the network, including the zeros of unplugged blocks.
                ram.fill(block(6), BLOCK, (byte) 3);
                ram.fill(block(50), BLOCK, (byte) 3);
                moved.frontEnd().loadDeviceState(state);
                moved.start(driver.ring(), driver.ring().base(), false);
                moved.channel().await(Request.BackEnd.CONFIG_CHANGE);
                assertThat(destination.onLoop(destination.device::requestedSize))
                        .isEqualTo(64 * MIB);
                assertThat(destination.onLoop(destination.device::pluggedSize)).isEqualTo(4 * BLOCK);
                assertThat(destination.onLoop(destination.device::usableSize)).isEqualTo(320 * MIB);
                assertThat(driver.state(block(5), 3)).isEqualTo(State.PLUGGED);
                assertThat(driver.state(block(100), 1)).isEqualTo(State.PLUGGED);
                assertThat(driver.state(block(8), 92)).isEqualTo(State.UNPLUGGED);
                assertThat(destination.patrol()).isZero();
                assertThat(ram.getByte(block(50))).isZero();
                assertThat(ram.getByte(block(6))).isEqualTo((byte) 3);
                assertThat(driver.unplug(block(5), 3)).isEqualTo(Answer.ACK);
            }
            assertThat(destination.faults).isEmpty();
        }
    }

    @Test
    @Tag("STA-MOV-9")
    void unpluggedMemoryThatMigratedIsNoViolation() throws Exception {
        GuestRam ram = GuestRam.ofLayout(0, 16 * MIB, ADDRESS, SIZE);
        MemoryRegionPlan plan = plan(ADDRESS, SIZE, BLOCK, -1);
        MemorySegment body = MemorySegment.ofArray(new long[(int) KeptBlocks.bytes(plan) / Long.BYTES]);
        KeptBlocks.format(body);
        try (MemBackEnd source = backEnd(plan, ram);
                MemBackEnd first = new MemBackEnd(folder.resolve("first"), KeptBlocks.open(body, plan), 0, false, ram);
                MemDriver driver = source.connect()) {
            byte[] state = savedState(source, driver);
            try (AttachedDevice moved = first.attach(0)) {
                moved.frontEnd().loadDeviceState(state);
            }
            ram.fill(block(6), BLOCK, (byte) 3);
            ram.fill(block(50), BLOCK, (byte) 3);
            try (MemBackEnd next = new MemBackEnd(folder.resolve("next"), KeptBlocks.open(body, plan), 0, false, ram);
                    AttachedDevice moved = next.attach(0)) {
                moved.start(driver.ring(), driver.ring().base(), false);
                assertThat(next.patrol()).isZero();
                assertThat(ram.getByte(block(50))).isZero();
                assertThat(ram.getByte(block(6))).isEqualTo((byte) 3);
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "0x140000000, 512, 2, -1, address, 0x140000000, 0x100000000",
        "0x100000000, 256, 2, -1, size, 268435456, 536870912",
        "0x100000000, 512, 4, -1, block size, 4194304, 2097152",
        "0x100000000, 512, 2, 3, node, 3, -1"
    })
    @Tag("STA-MOV-8")
    void stateOfAnotherDeviceIsRefusedWithAReason(
            String address, long size, long blockSize, int node, String field, String ours, String theirs)
            throws Exception {
        try (MemBackEnd source = backEnd();
                MemBackEnd destination = backEnd(
                        plan(Long.decode(address), size * MIB, blockSize * MIB, node), GuestRam.ofLayout(0, 16 * MIB));
                AttachedDevice attached = destination.attach(0)) {
            byte[] state = savedState(source);
            assertThatThrownBy(() -> attached.frontEnd().loadDeviceState(state))
                    .isInstanceOf(RequestRefusedException.class);
            assertThat(destination.faults)
                    .singleElement()
                    .satisfies(fault ->
                            assertThat(fault).contains("\"" + field + "\" has " + theirs, "this device has " + ours));
            assertThat(destination.onLoop(destination.device::pluggedSize)).isZero();
        }
    }

    @Test
    @Tag("STA-MOV-8")
    void stateWithAChangedOrMissingByteIsRefused() throws Exception {
        try (MemBackEnd source = backEnd();
                MemBackEnd destination = backEnd();
                AttachedDevice attached = destination.attach(0)) {
            byte[] state = savedState(source);
            for (int at = 0; at < state.length; at++) {
                byte[] bent = state.clone();
                bent[at] ^= (byte) (1 << at % 8);
                assertRefused(attached, bent);
                assertRefused(attached, Arrays.copyOf(state, at));
            }
            assertRefused(attached, Arrays.copyOf(state, state.length + 1));
            assertThat(destination.onLoop(destination.device::pluggedSize)).isZero();
            attached.frontEnd().loadDeviceState(state);
            assertThat(destination.onLoop(destination.device::pluggedSize)).isEqualTo(4 * BLOCK);
        }
    }

    private static void assertRefused(AttachedDevice attached, byte[] state) {
        assertThatThrownBy(() -> attached.frontEnd().loadDeviceState(state))
                .isInstanceOfAny(RequestRefusedException.class, EOFException.class);
    }

    @Test
    @Tag("STA-MOV-8")
    void aStateOfAnotherVersionIsRefused() throws Exception {
        try (MemBackEnd source = backEnd();
                MemBackEnd destination = backEnd();
                AttachedDevice attached = destination.attach(0)) {
            byte[] state = savedState(source);
            ByteBuffer.wrap(state).order(ByteOrder.LITTLE_ENDIAN).putInt(8, 2);
            assertRefused(attached, state);
            assertThat(destination.faults).singleElement().asString().contains("version 2", "supports version 1");
        }
    }

    /** Changes with a correct checksum, as an attacker could make them. */
    @ParameterizedTest
    @CsvSource({
        // requested, usable, plugged, known, map
        "64, 1",
        "64, 0x40000000",
        "72, 0",
        "72, 0x8000000",
        "80, 3",
        "88, 2",
        "88, -1",
        "96, 0",
        "120, 1"
    })
    @Tag("STA-MOV-8")
    void inconsistentStateIsRefusedAlthoughItsChecksumIsRight(int at, String value) throws Exception {
        try (MemBackEnd source = backEnd();
                MemBackEnd destination = backEnd();
                AttachedDevice attached = destination.attach(0)) {
            byte[] state = savedState(source);
            ByteBuffer bytes = ByteBuffer.wrap(state).order(ByteOrder.LITTLE_ENDIAN);
            bytes.putLong(at, Long.decode(value)).putInt(24, 0);
            CRC32C crc = new CRC32C();
            crc.update(state);
            bytes.putInt(24, (int) crc.getValue());
            assertRefused(attached, state);
            assertThat(destination.faults).hasSize(1);
            assertThat(destination.onLoop(destination.device::pluggedSize)).isZero();
        }
    }

    @Test
    @Tag("STA-MOV-7")
    void tooLongStateIsRefused() throws Exception {
        try (MemBackEnd destination = backEnd();
                AttachedDevice attached = destination.attach(0)) {
            assertRefused(attached, new byte[8 << 20]);
            assertThat(attached.frontEnd().checkDeviceState()).isNotZero();
            assertThat(destination.faults).singleElement().asString().contains("more than", "the limit");
        }
    }

    @Test
    @Tag("STA-MOV-2")
    @Tag("STA-MOV-3")
    void stateIsNotTransferredWhileAQueueRuns() throws Exception {
        try (MemBackEnd backEnd = backEnd();
                MemDriver driver = backEnd.connect()) {
            FrontEnd frontEnd = driver.device().frontEnd();
            PipeEnd.Pipe pipe = PipeEnd.pipe();
            try (Fd readEnd = pipe.readEnd();
                    Fd writeEnd = pipe.writeEnd()) {
                assertThat(frontEnd.setDeviceStateFd(SAVE, writeEnd)).isEqualTo(FAILED);
                assertThat(frontEnd.setDeviceStateFd(LOAD, readEnd)).isEqualTo(FAILED);
            }
            assertThat(frontEnd.checkDeviceState())
                    .as("nothing was transferred")
                    .isEqualTo(1);
            driver.device().stop();
            assertThat(frontEnd.saveDeviceState()).isNotEmpty();
            try (SharedFile file = SharedFile.memfd("state", 4096)) {
                assertThat(frontEnd.setDeviceStateFd(SAVE, file.fd())).isEqualTo(FAILED);
            }
            assertThat(frontEnd.checkDeviceState())
                    .as("of the last one, not of the one before")
                    .isEqualTo(1);
            driver.device().start(driver.ring(), driver.ring().usedBase(), false);
            assertThat(driver.unplugAll()).as("it goes on").isEqualTo(Answer.ACK);
        }
    }

    @Test
    @Tag("STA-MOV-4")
    void descriptorThatIsNoPipeIsRefused() throws Exception {
        try (MemBackEnd backEnd = backEnd();
                AttachedDevice attached = backEnd.attach(0);
                SharedFile file = SharedFile.memfd("state", 4096)) {
            assertThat(attached.frontEnd().setDeviceStateFd(SAVE, file.fd())).isEqualTo(FAILED);
        }
    }

    @Test
    @Tag("STA-MOV-3")
    @Tag("STA-MOV-4")
    @Tag("STA-MOV-5")
    void socketIsTakenInPlaceOfAPipe() throws Exception {
        try (MemBackEnd source = backEnd();
                AttachedDevice attached = source.attach(0)) {
            List<Fd> pair = UnixSockets.pair();
            try (Fd ours = pair.get(0)) {
                try (Fd theirs = pair.get(1)) {
                    assertThat(attached.frontEnd().setDeviceStateFd(SAVE, theirs))
                            .isEqualTo(NO_FD);
                }
                assertThat(StateChannel.readAll(ours, FrontEnd.LIMIT)).hasSize(32 + 64 + 32);
            }
        }
    }

    @Test
    @Tag("STA-MOV-2")
    @Tag("STA-MOV-6")
    void frontEndThatDoesNotReadDelaysNobody() throws Exception {
        MemoryRegionPlan large = plan(1L << 40, 4L << 40, MIB, -1);
        try (MemBackEnd source = backEnd(large, GuestRam.ofLayout(0, 16 * MIB));
                AttachedDevice attached = source.attach(0)) {
            PipeEnd.Pipe pipe = PipeEnd.pipe();
            try (Fd readEnd = pipe.readEnd()) {
                try (Fd writeEnd = pipe.writeEnd()) {
                    assertThat(attached.frontEnd().setDeviceStateFd(SAVE, writeEnd))
                            .isEqualTo(NO_FD);
                    assertThat(attached.frontEnd().setDeviceStateFd(SAVE, writeEnd))
                            .as("one at a time")
                            .isEqualTo(FAILED);
                }
                assertThat(attached.frontEnd().getConfig(0, 56)).hasSize(56);
                assertThat(source.onLoop(source.device::pluggedSize)).isZero();
                assertThat(StateChannel.readAll(readEnd, FrontEnd.LIMIT)).hasSize(32 + 64 + (4 << 20) / 8);
            }
            assertThat(attached.frontEnd().checkDeviceState()).isZero();
        }
    }

    @Test
    @Tag("STA-MOV-6")
    void checkDeviceStateIsAnsweredWhenTheTransferHasEnded() throws Exception {
        try (MemBackEnd source = backEnd();
                MemBackEnd destination = backEnd();
                AttachedDevice attached = destination.attach(0)) {
            byte[] state = savedState(source);
            PipeEnd.Pipe pipe = PipeEnd.pipe();
            try (Fd readEnd = pipe.readEnd()) {
                assertThat(attached.frontEnd().setDeviceStateFd(LOAD, readEnd)).isEqualTo(NO_FD);
            }
            try (Fd writeEnd = pipe.writeEnd()) {
                StateChannel.writeAll(writeEnd, Arrays.copyOf(state, 40), FrontEnd.LIMIT);
                attached.frontEnd().send(43, 1, new byte[0], List.of());
                attached.frontEnd().send(1, 1, new byte[0], List.of());
                // The loop does other work meanwhile.
                assertThat(destination.onLoop(destination.device::pluggedSize)).isZero();
                StateChannel.writeAll(writeEnd, Arrays.copyOfRange(state, 40, state.length), FrontEnd.LIMIT);
            }
            assertThat(attached.frontEnd().connection().receive().asLong()).isZero();
            assertThat(attached.frontEnd().connection().receive().request())
                    .as("then what came behind it")
                    .isEqualTo(1);
            assertThat(destination.onLoop(destination.device::pluggedSize)).isEqualTo(4 * BLOCK);
        }
    }

    @Test
    @Tag("STA-MOV-2")
    void noQueueStartsWhileAStateIsBeingLoaded() throws Exception {
        try (MemBackEnd backEnd = backEnd();
                AttachedDevice attached = backEnd.attach(0)) {
            PipeEnd.Pipe pipe = PipeEnd.pipe();
            try (Fd readEnd = pipe.readEnd();
                    Fd _ = pipe.writeEnd()) {
                assertThat(attached.frontEnd().setDeviceStateFd(LOAD, readEnd)).isEqualTo(NO_FD);
                assertThatThrownBy(() -> MemDriver.start(attached)).isInstanceOf(RequestRefusedException.class);
            }
        }
    }

    @Test
    @Tag("STA-MOV-8")
    void disconnectDuringATransferLeavesTheDeviceAsItWas() throws Exception {
        try (MemBackEnd backEnd = backEnd()) {
            byte[] state = savedState(backEnd);
            PipeEnd.Pipe pipe = PipeEnd.pipe();
            try (Fd writeEnd = pipe.writeEnd();
                    AttachedDevice attached = backEnd.attach(0)) {
                try (Fd readEnd = pipe.readEnd()) {
                    assertThat(attached.frontEnd().setDeviceStateFd(LOAD, readEnd))
                            .isEqualTo(NO_FD);
                }
                StateChannel.writeAll(writeEnd, Arrays.copyOf(state, 60), FrontEnd.LIMIT);
            }
            try (MemDriver driver = backEnd.connect()) {
                assertThat(driver.state(block(5), 3)).isEqualTo(State.PLUGGED);
            }
        }
    }
}
