package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.EOFException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.zip.CRC32C;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.Features.Protocol;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.frontend.RequestRefusedException;
import org.exomem.conformance.fuzz.FuzzDeviceState;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A balloon's state moves from one process to another through the front-end (STA-MOV). */
class MovedBalloonTest {
    private static final long MIB = 1 << 20;
    private static final int HEADER = 32;

    @TempDir
    Path folder;

    private BalloonBackEnd source;
    private BalloonBackEnd destination;
    private GuestRam ram;

    @BeforeEach
    void start() throws Exception {
        source = new BalloonBackEnd(folder.resolve("source"));
        destination = new BalloonBackEnd(folder.resolve("destination"));
        ram = GuestRam.withPciHole(64 * MIB, 64 * MIB);
    }

    @AfterEach
    void end() {
        source.close();
        destination.close();
        ram.close();
    }

    private AttachedDevice attach(BalloonBackEnd backEnd, long ringFeatures) throws Exception {
        return AttachedDevice.attach(
                FrontEnd.connect(backEnd.socket),
                ram,
                Features.VERSION_1
                        | Features.PROTOCOL_FEATURES
                        | ringFeatures
                        | BalloonFeatures.MUST_TELL_HOST
                        | BalloonFeatures.PAGE_POISON,
                Protocol.REPLY_ACK | Protocol.CONFIG | Protocol.DEVICE_STATE);
    }

    /** A balloon with 1 MiB of low and 2 MiB of high memory, and with all values of the operator and the driver. */
    private BalloonDriver inflated(long ringFeatures) throws Exception {
        BalloonDriver driver = BalloonDriver.start(attach(source, ringFeatures));
        driver.inflate(32 * MIB, MIB);
        driver.inflate(1L << 32, 2 * MIB);
        source.runOnLoop(() -> source.balloon.setNumPages(1000));
        driver.writeActual(768);
        return driver;
    }

    @Test
    @Tag("STA-MOV-8")
    void noLoadedStateHarmsABalloonOrMakesItInconsistent() throws Exception {
        int states = Integer.getInteger("exomem.fuzz", 1_500) / 5;
        long seed = System.nanoTime();
        try (BalloonDriver driver = inflated(0)) {
            driver.device().stop();
            byte[] state = driver.device().frontEnd().saveDeviceState();
            try (AttachedDevice moved = attach(destination, 0)) {
                moved.frontEnd().loadDeviceState(state);
            }
            FuzzDeviceState fuzz = new FuzzDeviceState(destination.socket, seed);
            fuzz.load(0, states);
            assertThat(fuzz.accepted()).isPositive().isLessThan(states);
        } catch (Exception | AssertionError e) {
            throw new AssertionError("seed " + seed, e);
        }
    }

    @ParameterizedTest
    @Tag("VHU-PAY-9")
    @ValueSource(longs = {0, Features.RING_PACKED})
    @Tag("STA-MOV-5")
    void driverGoesOnAtTheDestination(long ringFeatures) throws Exception {
        try (BalloonDriver driver = inflated(ringFeatures)) {
            driver.device().stop();
            byte[] state = driver.device().frontEnd().saveDeviceState();
            try (AttachedDevice moved = attach(destination, ringFeatures)) {
                moved.frontEnd().loadDeviceState(state);
                for (RingDriver ring : driver.device().rings()) {
                    moved.start(ring, ring.base(), false);
                }
                assertThat(destination.onLoop(destination.balloon::pagesInBalloon))
                        .isEqualTo(768);
                assertThat(destination.onLoop(destination.balloon::numPages)).isEqualTo(1000);
                assertThat(destination.onLoop(destination.balloon::actual)).isEqualTo(768);
                driver.deflate(1L << 32, MIB);
                assertThat(destination.onLoop(destination.balloon::pagesInBalloon))
                        .isEqualTo(512);
            }
            assertThat(destination.faults).isEmpty();
        }
    }

    @Test
    void newDriverAtTheDestinationBeginsWithAnEmptyBalloon() throws Exception {
        byte[] state;
        try (BalloonDriver driver = inflated(0)) {
            driver.device().stop();
            state = driver.device().frontEnd().saveDeviceState();
        }
        try (AttachedDevice moved = attach(destination, 0)) {
            moved.frontEnd().loadDeviceState(state);
            BalloonDriver.start(moved);
            assertThat(destination.onLoop(destination.balloon::pagesInBalloon)).isZero();
            assertThat(destination.onLoop(destination.balloon::actual)).isZero();
        }
    }

    @Test
    @Tag("STA-MOV-1")
    void balloonOffersToMoveItsState() throws Exception {
        try (AttachedDevice attached = attach(source, 0)) {
            assertThat(attached.frontEnd().getProtocolFeatures() & Protocol.DEVICE_STATE)
                    .isNotZero();
        }
    }

    @Test
    void sourceGoesOnIfTheMigrationFails() throws Exception {
        try (BalloonDriver driver = inflated(0)) {
            driver.device().stop();
            driver.device().frontEnd().saveDeviceState();
            driver.device().start();
            assertThat(source.onLoop(source.balloon::pagesInBalloon)).isEqualTo(768);
            driver.deflate(32 * MIB, MIB);
            assertThat(source.onLoop(source.balloon::pagesInBalloon)).isEqualTo(512);
        }
    }

    /** Changes with a correct checksum, as an attacker could make them. */
    @ParameterizedTest
    @CsvSource({
        // driver, number of chunks, reserved, number and reserved of the second chunk
        "52, 2",
        "52, 0",
        "56, 1",
        "56, 3",
        "56, -1",
        "56, 0x7fffffff",
        "60, 1",
        "32840, 0",
        "32840, 16384",
        "32844, 1"
    })
    @Tag("STA-MOV-8")
    void inconsistentStateIsRefusedAlthoughItsChecksumIsRight(int at, String value) throws Exception {
        byte[] state;
        try (BalloonDriver driver = inflated(0)) {
            driver.device().stop();
            state = driver.device().frontEnd().saveDeviceState();
        }
        assertThat(state).hasSize(HEADER + 32 + 2 * (8 + 32768));
        ByteBuffer bytes = ByteBuffer.wrap(state).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putInt(at, Integer.decode(value)).putInt(24, 0);
        CRC32C crc = new CRC32C();
        crc.update(state);
        bytes.putInt(24, (int) crc.getValue());
        try (AttachedDevice moved = attach(destination, 0)) {
            assertThatThrownBy(() -> moved.frontEnd().loadDeviceState(state))
                    .isInstanceOf(RequestRefusedException.class);
            assertThat(destination.faults).singleElement().asString().contains("a balloon's state");
            assertThat(destination.onLoop(destination.balloon::numPages)).isZero();
        }
    }

    @Test
    @Tag("STA-MOV-8")
    void aStateOfAnotherKindOfDeviceIsRefused() throws Exception {
        try (AttachedDevice moved = attach(destination, 0)) {
            byte[] state = moved.frontEnd().saveDeviceState();
            state[12] = 24;
            assertThatThrownBy(() -> moved.frontEnd().loadDeviceState(state))
                    .isInstanceOfAny(RequestRefusedException.class, EOFException.class);
            assertThatThrownBy(() -> moved.frontEnd().loadDeviceState(Arrays.copyOf(state, 5)))
                    .isInstanceOfAny(RequestRefusedException.class, EOFException.class);
            assertThat(destination.faults).hasSize(2);
            assertThat(destination.faults.getFirst()).contains("\"device\" has 24, but this device has 5");
        }
    }
}
