package org.exomem.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.LongStream;
import org.exomem.balloon.BitmapAnswer;
import org.exomem.balloon.BitmapRequest;
import org.exomem.balloon.BitmapState;
import org.exomem.conformance.frontend.Features;
import org.exomem.conformance.frontend.FrontEnd;
import org.exomem.conformance.guest.AttachedDevice;
import org.exomem.conformance.guest.BalloonDriver;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;
import org.exomem.conformance.guest.RingDriver;
import org.exomem.pages.PageDescriptors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The balloon over a real vhost-user connection, with each set of features that a driver may choose. */
class BalloonTest {
    private static final long MEMORY = 16 << 20;
    private static final long FREE = 4 << 20;
    private static final long BLOCK = 2 << 20;
    private static final int PAGES = 512;
    private static final Map<Integer, Long> STATISTICS = Map.of(4, 1L << 20, 5, MEMORY);

    @TempDir
    Path folder;

    BalloonBackEnd backEnd;
    GuestRam ram;

    @BeforeEach
    void start() throws Exception {
        backEnd = new BalloonBackEnd(folder.resolve("vm"));
        ram = GuestRam.ofSize(MEMORY);
        ram.fill(0, MEMORY, (byte) 1);
    }

    @AfterEach
    void end() {
        ram.close();
        backEnd.close();
    }

    private BalloonDriver attach(long features) throws Exception {
        return attach(ram, features);
    }

    private BalloonDriver attach(GuestRam memory, long features) throws Exception {
        return BalloonDriver.start(AttachedDevice.attach(
                FrontEnd.connect(backEnd.socket),
                memory,
                features | Features.PROTOCOL_FEATURES | Features.VERSION_1,
                EchoGuest.EVERY_PROTOCOL_FEATURE));
    }

    /** Every subset of STATS_VQ, FREE_PAGE_HINT, PAGE_REPORTING and FREE_PAGE_BITMAP, which have queues, with each ring format. */
    static LongStream subsets() {
        return LongStream.of(0, Features.RING_PACKED, Features.EVENT_IDX, Features.RING_PACKED | Features.IN_ORDER)
                .flatMap(rings -> LongStream.range(0, 16)
                        .map(set -> rings
                                | ((set & 1) != 0 ? BalloonFeatures.STATS_VQ : 0)
                                | ((set & 2) != 0 ? BalloonFeatures.FREE_PAGE_HINT : 0)
                                | ((set & 4) != 0 ? BalloonFeatures.PAGE_REPORTING : 0)
                                | ((set & 8) != 0 ? BalloonFeatures.FREE_PAGE_BITMAP : 0)));
    }

    @ParameterizedTest(name = "features 0x{0}")
    @MethodSource("subsets")
    @Tag("BAL-FEAT-1")
    @Tag("BAL-Q-2")
    @Tag("FPB-FEAT-1")
    @Tag("FPB-DESC-1")
    void everyQueueOfEverySubsetIsServedUnderItsDenseNumber(long features) throws Exception {
        try (BalloonDriver driver = attach(features)) {
            long before = ram.hostBytes();
            driver.inflate(FREE, PAGES * GuestRam.PAGE);
            assertThat(before - ram.hostBytes()).isEqualTo(PAGES * GuestRam.PAGE);
            assertThat(backEnd.onLoop(backEnd.balloon::pagesInBalloon)).isEqualTo(PAGES);
            driver.deflate(FREE, PAGES * GuestRam.PAGE);
            assertThat(backEnd.onLoop(backEnd.balloon::pagesInBalloon)).isZero();
            if ((features & BalloonFeatures.STATS_VQ) != 0) {
                driver.offerStatistics(STATISTICS);
                backEnd.runOnLoop(backEnd.balloon::requestStatistics);
                driver.awaitStatisticsRequest();
                driver.offerStatistics(STATISTICS);
                awaitThat(() -> backEnd.balloon.statistics().values().size() == 2);
            }
            if ((features & BalloonFeatures.FREE_PAGE_HINT) != 0) {
                backEnd.runOnLoop(backEnd.balloon::startHinting);
                driver.beginHinting();
                driver.hint(FREE, 2 * BLOCK, BLOCK);
                driver.endHinting();
                awaitThat(() -> backEnd.balloon.freePages().hintedBytes() == 2 * BLOCK);
                backEnd.runOnLoop(backEnd.balloon::finishHinting);
                driver.awaitCommand(BalloonDriver.DONE);
            }
            if ((features & BalloonFeatures.PAGE_REPORTING) != 0) {
                ram.fill(FREE, 2 * BLOCK, (byte) 1);
                long full = ram.hostBytes();
                driver.report(FREE, 2 * BLOCK, BLOCK);
                assertThat(full - ram.hostBytes()).isEqualTo(2 * BLOCK);
            }
            if ((features & BalloonFeatures.FREE_PAGE_BITMAP) != 0) {
                assertThat(driver.tellDescriptors(0, MEMORY / GuestRam.PAGE, FREE, 8))
                        .isZero();
                driver.tellDescriptors(FREE, 1, FREE + 64, 8);
                assertThat(backEnd.onLoop(backEnd.balloon::pageDescriptors))
                        .containsExactly(descriptors(0, MEMORY / GuestRam.PAGE, FREE), descriptors(FREE, 1, FREE + 64));
                driver.offerRequestBuffer();
                backEnd.runOnLoop(() -> backEnd.balloon.askForFreePages(BitmapRequest.ALL));
                int id = driver.awaitFreePagesRequest();
                BitSet free = new BitSet();
                free.set(1, 3);
                assertThat(driver.sendChunk(id, false, FREE, 12, free, 8)).isEqualTo(id);
                driver.sendChunk(id, true, FREE + 2 * BLOCK, 21, free, 3);
                BitmapAnswer answer = backEnd.onLoop(backEnd.balloon::freePageBitmap);
                assertThat(answer.state()).isEqualTo(BitmapState.COMPLETE);
                assertThat(answer.bytes()).isEqualTo(2 * GuestRam.PAGE + 2 * BLOCK);
                assertThat(answer.ignoredChunks()).isZero();
            }
        }
        assertThat(backEnd.faults).isEmpty();
    }

    static LongStream ringFormats() {
        return LongStream.of(0, Features.RING_PACKED, Features.EVENT_IDX, Features.RING_PACKED | Features.IN_ORDER);
    }

    /** A front-end resets the device at the end of each start, as it does when the guest is reset. */
    @ParameterizedTest(name = "features 0x{0}")
    @MethodSource("ringFormats")
    @Tag("FPB-DESC-9")
    void pageDescriptorsHoldAgainAfterAPauseAndNotAfterAReset(long rings) throws Exception {
        long features = rings | BalloonFeatures.FREE_PAGE_BITMAP;
        try (BalloonDriver driver = attach(features)) {
            AttachedDevice device = driver.device();
            driver.tellDescriptors(0, 1, FREE, 8);
            driver.offerRequestBuffer();
            List<Integer> bases = device.stop();
            device.frontEnd().setStatus(0);
            assertThat(backEnd.onLoop(backEnd.balloon::pageDescriptors)).isEmpty();

            device.frontEnd().setFeatures(device.features());
            for (int i = 0; i < bases.size(); i++) {
                device.start(device.rings().get(i), bases.get(i), false);
            }
            assertThat(backEnd.onLoop(backEnd.balloon::pageDescriptors)).containsExactly(descriptors(0, 1, FREE));
            device.stop();
            device.frontEnd().setStatus(0);
            device.frontEnd().setFeatures(device.features());
            RingDriver anew = device.addRing(device.rings().getLast().index(), 128);
            device.start(anew, anew.base(), false);
            assertThat(backEnd.onLoop(backEnd.balloon::pageDescriptors)).isEmpty();
        }
        assertThat(backEnd.faults).isEmpty();
    }

    /** The driver's report with a guard at address 8. */
    private static PageDescriptors descriptors(long address, long pages, long descriptors) {
        return new PageDescriptors(
                12,
                10,
                64,
                48,
                40,
                0xff00_0000,
                0xf000_0000,
                List.of(new PageDescriptors.Guard(8, -1, 0)),
                List.of(new PageDescriptors.Range(address, pages, descriptors, 1)));
    }

    private void awaitThat(Callable<Boolean> condition) {
        await().atMost(EchoBackEnd.LIMIT)
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(2))
                .until(() -> backEnd.onLoop(condition));
    }

    @ParameterizedTest(name = "page number {0}")
    @ValueSource(ints = {(int) (MEMORY / GuestRam.PAGE), 0x00ffffff, Integer.MAX_VALUE, Integer.MIN_VALUE, -1})
    @Tag("BAL-INF-4")
    void aPageOutsideOfMemoryTouchesNothing(int page) throws Exception {
        try (BalloonDriver driver = attach(0)) {
            long before = ram.hostBytes();
            ram.putInt(FREE, page);
            RingDriver inflate = driver.device().rings().getFirst();
            inflate.add(List.of(Buffer.readable(FREE, 4)));
            inflate.kick();
            awaitThat(() -> inflate.poll() != null || !backEnd.faults.isEmpty());
            assertThat(ram.hostBytes()).isEqualTo(before);
            assertThat(backEnd.onLoop(backEnd.balloon::pagesInBalloon)).isZero();
        }
    }

    @ParameterizedTest(name = "a file {0}")
    @ValueSource(strings = {"in memory", "on disk"})
    void discardedFileMemoryGoesBackToTheFileSystem(String where) throws Exception {
        Path parent = where.equals("in memory") ? Path.of("/dev/shm") : folder;
        Path place = Files.createTempDirectory(parent, "exomem-ram");
        Path file = place.resolve("ram");
        try (GuestRam filed = GuestRam.ofFile(file, MEMORY)) {
            // Otherwise a disk's file system would allocate the blocks of written pages late.
            filed.file().allocate(0, MEMORY);
            filed.fill(0, MEMORY, (byte) 1);
            long before = filed.hostBytes();
            try (BalloonDriver driver = attach(filed, 0)) {
                driver.inflate(FREE, PAGES * GuestRam.PAGE);
                assertThat(before - filed.hostBytes()).isEqualTo(PAGES * GuestRam.PAGE);
                assertThat(filed.getByte(FREE)).isZero();
                assertThat(filed.getByte(FREE - 1)).isEqualTo((byte) 1);
            }
        } finally {
            Files.deleteIfExists(file);
            Files.deleteIfExists(place);
        }
    }

    @Test
    void memoryIsGivenBackOnBothSidesOfThePciHole() throws Exception {
        try (GuestRam holed = GuestRam.withPciHole(8 << 20, 8 << 20)) {
            holed.fill(0, 8 << 20, (byte) 1);
            holed.fill(1L << 32, 8 << 20, (byte) 1);
            try (BalloonDriver driver = attach(holed, 0)) {
                long before = holed.hostBytes();
                driver.inflate(4 << 20, 1 << 20);
                driver.inflate((1L << 32) + (4 << 20), 1 << 20);
                assertThat(before - holed.hostBytes()).isEqualTo(2 << 20);
                assertThat(holed.getByte(4 << 20)).isZero();
                assertThat(holed.getByte((1L << 32) + (4 << 20))).isZero();
                assertThat(holed.getByte((1L << 32) + (5 << 20))).isEqualTo((byte) 1);
            }
        }
    }

    @Test
    @Tag("BAL-CFG-4")
    void staleNumPagesWrittenWithActualIsIgnored() throws Exception {
        try (BalloonDriver driver = attach(BalloonFeatures.LINUX)) {
            backEnd.runOnLoop(() -> backEnd.balloon.setNumPages(100));
            byte[] stale = new byte[16];
            stale[4] = 7;
            driver.device().frontEnd().setConfig(0, stale);
            assertThat(backEnd.onLoop(backEnd.balloon::numPages)).isEqualTo(100);
            assertThat(backEnd.onLoop(backEnd.balloon::actual)).isEqualTo(7);
            assertThat(driver.numPages()).isEqualTo(100);
        }
    }
}
