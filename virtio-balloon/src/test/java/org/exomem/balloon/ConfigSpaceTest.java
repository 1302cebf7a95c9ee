package org.exomem.balloon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.exomem.balloon.TestQueue.littleEndian;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import org.exomem.linux.LinuxException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

class ConfigSpaceTest {
    private static final long PAGE_POISON = 1 << 4;

    private TestGuest guest;

    @BeforeEach
    void make() throws LinuxException {
        guest = new TestGuest();
    }

    @AfterEach
    void close() {
        guest.close();
    }

    private int[] config() {
        byte[] bytes = new byte[guest.balloon.configSize()];
        guest.balloon.readConfig(MemorySegment.ofArray(bytes));
        return MemorySegment.ofArray(bytes).toArray(ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN));
    }

    private void write(int offset, byte... bytes) {
        guest.balloon.writeConfig(offset, MemorySegment.ofArray(bytes));
    }

    @Test
    void fieldsStandWhereVirtioPutsThem() {
        guest.start(TestGuest.ALL_FEATURES, 5);
        guest.balloon.setNumPages(0x1234_5678);
        guest.balloon.startHinting();
        write(4, littleEndian(0x11));
        write(12, littleEndian(0x22));

        assertThat(guest.balloon.configSize()).isEqualTo(16);
        assertThat(config()).containsExactly(0x1234_5678, 0x11, 0x8000_0000, 0x22);
    }

    @Test
    void theWholeRangeOfSizesCanBeAskedFor() {
        guest.balloon.setNumPages(0xffff_ffffL);

        assertThat(guest.balloon.numPages()).isEqualTo(0xffff_ffffL);
        assertThat(config()[0]).isEqualTo(-1);
        assertThatThrownBy(() -> guest.balloon.setNumPages(0x1_0000_0000L))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("4294967295");
        assertThatThrownBy(() -> guest.balloon.setNumPages(-1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    @Tag("BAL-CFG-3")
    void theDriverIsToldOfAnotherSizeWhileAQueueRuns() {
        guest.balloon.setNumPages(1);
        assertThat(guest.configChanges).isZero();

        guest.start(TestGuest.ALL_FEATURES, 5);
        assertThat(guest.configChanges).as("a new driver reads by itself").isZero();

        guest.balloon.setNumPages(2);
        assertThat(guest.configChanges).isEqualTo(1);
    }

    @Test
    void aDriverThatWasStoppedMeanwhileIsToldWhenItGoesOn() {
        guest.start(TestGuest.ALL_FEATURES, 5);
        guest.ram.allocate(0);
        guest.queues[0].addPfns(1 << 28);
        guest.process(0);
        int[] bases = guest.stop(true);
        guest.balloon.setNumPages(5);
        assertThat(guest.configChanges).isZero();

        guest.goOn(bases);

        assertThat(guest.configChanges).isEqualTo(1);
    }

    @Test
    @Tag("BAL-CFG-4")
    void aWholeConfigSpaceWrittenBackChangesOnlyWhatIsTheDrivers() {
        guest.start(TestGuest.ALL_FEATURES, 5);
        guest.balloon.setNumPages(100);
        int[] stale = config();
        guest.balloon.setNumPages(200);
        stale[1] = 77;

        write(0, littleEndian(stale));

        assertThat(guest.balloon.numPages()).isEqualTo(200);
        assertThat(guest.balloon.actual()).isEqualTo(77);
        assertThat(config()).containsExactly(200, 77, 0, 0);
        assertThat(guest.actuals).containsExactly(77L);
    }

    @Test
    @Tag("BAL-CFG-4")
    void theCommandIdIsNotTheDriversToWrite() {
        guest.start(TestGuest.ALL_FEATURES, 5);
        write(8, littleEndian(0x8000_0001));

        assertThat(config()[2]).isZero();
    }

    @Test
    void aLegacyDriverMayWriteActualByteByByte() {
        guest.start(TestGuest.ALL_FEATURES, 5);
        byte[] bytes = littleEndian(0x0102_0304);
        for (int i = 0; i < 4; i++) {
            write(4 + i, bytes[i]);
        }

        assertThat(guest.balloon.actual()).isEqualTo(0x0102_0304);
    }

    @Test
    void actualIsUnsignedAndToldOnlyWhenItChanges() {
        guest.start(TestGuest.ALL_FEATURES, 5);
        write(4, littleEndian(-1));
        write(4, littleEndian(-1));

        assertThat(guest.actuals).containsExactly(0xffff_ffffL);
    }

    @Test
    @Tag("BAL-CFG-2")
    void actualOfADriverThatNeverWritesItStaysZeroWhilePagesCount() throws LinuxException {
        guest.ram.filled(1L << 32, 1 << 20);
        guest.start(TestGuest.ALL_FEATURES, 5);
        guest.inflate(1 << 20);

        assertThat(guest.balloon.actual()).isZero();
        assertThat(guest.balloon.pagesInBalloon()).isEqualTo(1);
    }

    @Test
    void poisonValIsKeptOnlyIfItWasNegotiated() {
        guest.start(TestGuest.ALL_FEATURES & ~PAGE_POISON, 5);
        write(12, littleEndian(0xaaaa_aaaa));

        assertThat(config()[3]).isZero();
    }

    @Test
    @Tag("BAL-POI-1")
    void poisonValWrittenBeforeTheFeaturesArriveCounts() {
        write(12, littleEndian(0xaaaa_aaaa));
        assertThat(config()[3])
                .as("so that a front-end that writes all back does not undo it")
                .isEqualTo(0xaaaa_aaaa);
        guest.start(TestGuest.ALL_FEATURES, 5);

        assertThat(config()[3]).isEqualTo(0xaaaa_aaaa);
    }

    @Test
    void poisonValWrittenBeforeFeaturesThatExcludeItIsDropped() {
        write(12, littleEndian(0xaaaa_aaaa));
        guest.start(TestGuest.ALL_FEATURES & ~PAGE_POISON, 5);
        guest.reboot(TestGuest.ALL_FEATURES);

        assertThat(config()[3]).isZero();
    }

    @Test
    void featuresFollowTheOptions() throws LinuxException {
        assertThat(guest.balloon.features()).isEqualTo(1L << 58 | 0x3f);
        try (TestGuest plain = new TestGuest(
                        new BalloonOptions(false, false, false, false, false, false, FreePageRequests.OFF, true));
                TestGuest usual = new TestGuest(BalloonOptions.defaults())) {
            assertThat(plain.balloon.features()).isZero();
            assertThat(usual.balloon.features()).isEqualTo(1L << 58 | 0b11_1011);
        }
    }

    @Test
    void theDeviceIsABalloon() {
        assertThat(guest.balloon.deviceId()).isEqualTo(5);
        assertThat(guest.balloon.maxQueues()).isEqualTo(6);
        assertThat(guest.balloon.guestMemoryBytes()).isEqualTo(8 << 20);
        guest.balloon.disconnected();
        assertThat(guest.balloon.guestMemoryBytes()).isZero();
    }
}
