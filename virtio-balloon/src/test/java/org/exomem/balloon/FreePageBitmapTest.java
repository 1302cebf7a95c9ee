package org.exomem.balloon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.exomem.balloon.TestQueue.writable;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.exomem.balloon.TestGuest.News;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.pages.PageSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FreePageBitmapTest {
    private static final int BITMAP = 5;
    private static final long FEATURES = TestGuest.ALL_FEATURES & ~BalloonFeatures.PAGE_POISON;
    private static final long START = 1L << 32;
    private static final long PAGE = 4096;
    private static final int MIB = 1 << 20;
    private static final int LAST = 1;
    private static final int INCOMPLETE = 2;

    private TestGuest guest;
    private TestQueue queue;

    @BeforeEach
    void start() throws LinuxException {
        guest = new TestGuest();
        guest.start(FEATURES | BalloonFeatures.FREE_PAGE_BITMAP, 6);
        queue = guest.queues[BITMAP];
        guest.ram.filled(START, 8 * MIB);
        guest.news();
    }

    @AfterEach
    void close() {
        guest.close();
    }

    /** The driver makes a request buffer available. Returns its address. */
    private long giveRequestBuffer(int bytes) {
        long address = guest.ram.allocate(bytes);
        queue.add(writable(address, bytes));
        guest.process(BITMAP);
        return address;
    }

    private ByteBuffer read(long address, int bytes) {
        byte[] copy = new byte[bytes];
        MemorySegment.copy(guest.ram.at(address, bytes), 0, MemorySegment.ofArray(copy), 0, bytes);
        return ByteBuffer.wrap(copy).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Sends a request to a driver with a buffer. Returns the request's id. */
    private int asked() {
        long address = giveRequestBuffer(64);
        guest.balloon.askForFreePages(BitmapRequest.ALL);
        return read(address, 24).getInt(0);
    }

    private static byte[] chunk(int id, int flags, long address, int shift, long pages, byte... bitmap) {
        return ByteBuffer.allocate(32 + bitmap.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(id)
                .putShort((short) 0)
                .putShort((short) flags)
                .putLong(address)
                .putLong(pages)
                .put((byte) shift)
                .position(32)
                .put(bitmap)
                .array();
    }

    private void send(byte[] message) {
        queue.add(queue.readable(message));
        guest.process(BITMAP);
    }

    /** Sends a chunk. Returns the request that the device wants to have answered after that. */
    private int sendAndLook(byte[] message) {
        long wanted = guest.ram.allocate(4);
        queue.add(queue.readable(message), writable(wanted, 4));
        guest.process(BITMAP);
        return read(wanted, 4).getInt(0);
    }

    private BitmapAnswer answer() {
        return guest.balloon.freePageBitmap();
    }

    @Test
    @Tag("FPB-REQ-2")
    @Tag("FPB-ANS-1")
    @Tag("FPB-OWN-1")
    void aRequestIsAnsweredByChunksUntilTheLast() {
        int id = asked();
        assertThat(id).isPositive();
        assertThat(answer().state()).isEqualTo(BitmapState.REQUESTED);

        send(chunk(id, 0, START, 12, 16, (byte) 0b0000_0111, (byte) 0b1000_0000));
        assertThat(answer().state()).isEqualTo(BitmapState.ANSWERING);
        send(chunk(id, LAST, START + MIB, 20, 2, (byte) 0b11));

        assertThat(answer().state()).isEqualTo(BitmapState.COMPLETE);
        assertThat(answer().bytes()).isEqualTo(2 * MIB + 4 * PAGE);
        assertThat(answer().chunks()).isEqualTo(2);
        assertThat(queue.usedLengths())
                .as("the request, then nothing is written")
                .containsExactly(24, 0, 0);
        assertThat(guest.news())
                .containsExactly(
                        new News(Kind.HINTING_STARTED, id, 0, 0),
                        new News(Kind.HINTED, id, START, 3 * PAGE),
                        new News(Kind.HINTED, id, START + 15 * PAGE, PAGE),
                        new News(Kind.HINTED, id, START + MIB, 2 * MIB),
                        new News(Kind.HINTING_ENDED, id, 0, 0));
    }

    @Test
    @Tag("FPB-BIT-3")
    void nothingIsDiscardedForABit() throws LinuxException {
        int id = asked();
        send(chunk(id, LAST, START, 20, 8, (byte) 0xff));

        assertThat(guest.punched).isEmpty();
        assertThat(guest.balloon.pagesInBalloon()).isZero();
    }

    @Test
    void theHistogramTellsHowFragmentedFreeMemoryIs() {
        int id = asked();
        send(chunk(id, 0, START, 12, 8, (byte) 0b0011_0010));
        send(chunk(id, LAST, START + 4 * MIB, 22, 1, (byte) 1));

        assertThat(answer().blockBytes()).containsExactly(PAGE, 2 * PAGE, 0L, 0L, 0L, 0L, 0L, 0L, 0L, 0L, 4L * MIB);
    }

    @Test
    @Tag("FPB-REQ-5")
    void aRequestWaitsForTheDriversBufferAndNobodyForTheRequest() {
        guest.balloon.askForFreePages(BitmapRequest.ALL);
        assertThat(answer().state()).isEqualTo(BitmapState.REQUESTED);
        assertThat(queue.used()).isEmpty();

        long address = giveRequestBuffer(64);

        assertThat(queue.usedLengths()).containsExactly(24);
        assertThat(read(address, 24).getInt(0)).isEqualTo(answer().id());
    }

    /** By chance the two would be equal once in 2^31 runs. */
    @Test
    @Tag("FPB-REQ-8")
    void twoDevicesBeginWithDifferentIds() throws LinuxException {
        int id = asked();
        guest.close();
        start();
        assertThat(asked()).isNotEqualTo(id);
    }

    @Test
    @Tag("FPB-REQ-7")
    void aBufferThatIsTooSmallForARequestComesBackEmpty() {
        giveRequestBuffer(23);
        assertThat(queue.usedLengths()).containsExactly(0);
    }

    @Test
    @Tag("FPB-REQ-4")
    void rangesThatDoNotFitIntoTheBufferAreLeftOut() {
        BitmapRequest two = new BitmapRequest(
                21, List.of(new BitmapRequest.Range(START, MIB), new BitmapRequest.Range(START + 4 * MIB, 2 * MIB)));
        long small = giveRequestBuffer(55);
        guest.balloon.askForFreePages(two);
        assertThat(queue.usedLengths()).containsExactly(24);
        assertThat(read(small, 24).getInt(8)).isZero();
        assertThat(read(small, 24).get(4)).isEqualTo((byte) 21);

        long large = giveRequestBuffer(56);
        guest.balloon.askForFreePages(two);
        ByteBuffer request = read(large, 56);
        assertThat(request.getInt(8)).isEqualTo(2);
        assertThat(request.getLong(24)).isEqualTo(START);
        assertThat(request.getLong(32)).isEqualTo(MIB);
        assertThat(request.getLong(40)).isEqualTo(START + 4 * MIB);
        assertThat(request.getLong(48)).isEqualTo(2 * MIB);
    }

    @Test
    @Tag("FPB-ANS-5")
    void whatTheDriverTellsBeyondWhatItWasAskedForIsTakenAsItIs() {
        giveRequestBuffer(64);
        guest.balloon.askForFreePages(new BitmapRequest(21, List.of(new BitmapRequest.Range(START, 2 * MIB))));
        send(chunk(answer().id(), LAST, START + 4 * MIB, 12, 3, (byte) 0b111));

        assertThat(answer().bytes()).isEqualTo(3 * PAGE);
    }

    @Test
    @Tag("FPB-REQ-3")
    @Tag("FPB-LIM-2")
    void aNewRequestReplacesTheOldOneWhoseChunksAreIgnored() {
        int first = asked();
        send(chunk(first, 0, START, 20, 1, (byte) 1));
        guest.balloon.askForFreePages(BitmapRequest.ALL);
        int second = answer().id();
        assertThat(sendAndLook(chunk(first, 0, START + MIB, 20, 1, (byte) 1))).isEqualTo(second);
        assertThat(answer().state()).isEqualTo(BitmapState.REQUESTED);
        assertThat(read(giveRequestBuffer(64), 24).getInt(0)).isEqualTo(second);
        send(chunk(second, LAST, START + 2 * MIB, 20, 1, (byte) 1));
        send(chunk(second, LAST, START + 3 * MIB, 20, 1, (byte) 1));

        assertThat(second).isNotEqualTo(first);
        assertThat(answer().state()).isEqualTo(BitmapState.COMPLETE);
        assertThat(answer().bytes()).isEqualTo(MIB);
        assertThat(answer().ignoredChunks()).isEqualTo(2);
        assertThat(guest.news())
                .containsExactly(
                        new News(Kind.HINTING_STARTED, first, 0, 0),
                        new News(Kind.HINTED, first, START, MIB),
                        new News(Kind.HINTING_ENDED, first, 0, 0),
                        new News(Kind.HINTING_STARTED, second, 0, 0),
                        new News(Kind.HINTED, second, START + 2 * MIB, MIB),
                        new News(Kind.HINTING_ENDED, second, 0, 0));
    }

    @Test
    @Tag("FPB-REQ-3")
    void theDriverIsToldInItsNextChunkThatARequestIsCancelled() {
        int id = asked();
        assertThat(sendAndLook(chunk(id, 0, START, 20, 1, (byte) 1))).isEqualTo(id);
        guest.balloon.cancelFreePages();
        assertThat(sendAndLook(chunk(id, 0, START + MIB, 20, 1, (byte) 1))).isZero();

        assertThat(answer().state()).isEqualTo(BitmapState.CANCELLED);
        assertThat(answer().bytes()).isEqualTo(MIB);
        assertThat(queue.usedLengths()).containsExactly(24, 4, 4);
    }

    @Test
    @Tag("FPB-ANS-4")
    void anAnswerThatEndsEarlyIsToldAsSuchAndWhatItToldCounts() {
        int id = asked();
        send(chunk(id, 0, START, 20, 1, (byte) 1));
        send(chunk(id, LAST | INCOMPLETE, START, 12, 0));

        assertThat(answer().state()).isEqualTo(BitmapState.INCOMPLETE);
        assertThat(answer().bytes()).isEqualTo(MIB);
    }

    @Test
    @Tag("FPB-LIM-7")
    void aDriverThatOffersItsRequestBufferAgainHasEndedItsAnswer() {
        int id = asked();
        send(chunk(id, 0, START, 20, 1, (byte) 1));
        giveRequestBuffer(64);

        assertThat(answer().state()).isEqualTo(BitmapState.INCOMPLETE);
        assertThat(answer().bytes()).isEqualTo(MIB);
    }

    @Test
    @Tag("FPB-LIM-4")
    @Tag("FPB-ANS-2")
    void aPageThatIsToldTwiceCountsOnce() {
        int id = asked();
        send(chunk(id, 0, START, 21, 1, (byte) 1));
        send(chunk(id, LAST, START, 12, 8, (byte) 0xff));

        assertThat(answer().bytes()).isEqualTo(2 * MIB);
    }

    @Test
    @Tag("FPB-LIM-1")
    void pagesOutsideOfMemoryAreCountedAndNotKept() {
        int id = asked();
        send(chunk(id, 0, START + 4 * MIB, 22, 2, (byte) 0b11));
        send(chunk(id, 0, 1L << 62, 30, 8, (byte) 0xff));
        send(chunk(id, LAST, -1L << 30, 30, 1, (byte) 1));

        assertThat(answer().bytes()).isEqualTo(4 * MIB);
        assertThat(guest.balloon.freePages().ignoredPages()).isEqualTo((4 * MIB >> 12) + (8L << 18) + (1L << 18));
        assertThat(answer().state()).isEqualTo(BitmapState.COMPLETE);
    }

    @Test
    @Tag("FPB-LIM-3")
    void malformedChunksAreUsedIgnoredAndCountedAndTheRequestGoesOn() {
        int id = asked();
        List<byte[]> malformed = new ArrayList<>();
        malformed.add(new byte[31]);
        malformed.add(chunk(id, 0, START, 12, 9, (byte) 1));
        malformed.add(chunk(id, 0, START, 12, -1, (byte) 1));
        malformed.add(chunk(id, 0, START, 12, Long.MIN_VALUE, (byte) 1));
        malformed.add(chunk(id, 0, START + 1, 12, 8, (byte) 1));
        malformed.add(chunk(id, 0, START + PAGE, 13, 8, (byte) 1));
        malformed.add(chunk(id, 0, START, 11, 8, (byte) 1));
        malformed.add(chunk(id, 0, START, 31, 8, (byte) 1));
        malformed.add(chunk(id, 0, START, 255, 8, (byte) 1));
        malformed.add(chunk(id, 0, -PAGE, 12, 2, (byte) 3));
        byte[] otherType = chunk(id, 0, START, 12, 8, (byte) 1);
        otherType[4] = 2;
        malformed.add(otherType);
        malformed.forEach(this::send);

        assertThat(answer().ignoredChunks()).isEqualTo(malformed.size());
        assertThat(answer().bytes()).isZero();
        send(chunk(id, LAST, START, 12, 3, (byte) 0xff, (byte) 0xff));
        assertThat(answer().bytes()).as("what is behind the bitmap is ignored").isEqualTo(3 * PAGE);
        assertThat(queue.used()).hasSize(malformed.size() + 2);
    }

    @Test
    void withoutARequestChunksAreIgnored() {
        send(chunk(7, LAST, START, 20, 8, (byte) 0xff));

        assertThat(answer().state()).isEqualTo(BitmapState.IDLE);
        assertThat(answer().ignoredChunks()).isEqualTo(1);
        assertThat(guest.news()).isEmpty();
    }

    @Test
    @Tag("FPB-BIT-6")
    void theAnswerOfAGuestThatChecksItsFreePagesIsCountedAndNotTold() {
        guest.reboot(TestGuest.ALL_FEATURES | BalloonFeatures.FREE_PAGE_BITMAP);
        guest.news();
        int id = asked();
        send(chunk(id, LAST, START, 20, 8, (byte) 0xff));

        assertThat(answer().bytes()).isEqualTo(8 * MIB);
        assertThat(guest.news()).isEmpty();
    }

    @Test
    @Tag("FPB-RST-1")
    void aQueueThatStopsEndsTheRequestAndGivesTheBuffersBack() {
        int id = asked();
        send(chunk(id, 0, START, 20, 1, (byte) 1));
        guest.stop(BITMAP, true);

        assertThat(answer().state()).isEqualTo(BitmapState.CANCELLED);
        assertThat(queue.usedLengths()).as("request, chunk").containsExactly(24, 0);
        assertThatThrownBy(() -> guest.balloon.askForFreePages(BitmapRequest.ALL))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("bitmap queue");
    }

    @Test
    @Tag("FPB-REQ-6")
    void aQueueThatStopsGivesTheRequestBufferBackWithoutARequest() {
        giveRequestBuffer(64);
        guest.stop(BITMAP, true);

        assertThat(queue.usedLengths()).containsExactly(0);
    }

    @Test
    @Tag("FPB-RST-1")
    @Tag("FPB-RST-3")
    void aNewDriverIsAskedUnderANewId() {
        int id = asked();
        guest.reboot(FEATURES | BalloonFeatures.FREE_PAGE_BITMAP);
        assertThat(answer().state()).isEqualTo(BitmapState.CANCELLED);

        assertThat(asked()).isNotEqualTo(id);
        send(chunk(id, LAST, START, 20, 8, (byte) 0xff));
        assertThat(answer().bytes()).isZero();
    }

    @Test
    @Tag("FPB-FEAT-1")
    void theQueueIsTheLastOfThoseThatWereNegotiated() {
        assertThat(QueueRole.of(2, BalloonFeatures.FREE_PAGE_BITMAP)).isEqualTo(QueueRole.BITMAP);
        assertThat(QueueRole.of(3, BalloonFeatures.FREE_PAGE_BITMAP | BalloonFeatures.PAGE_REPORTING))
                .isEqualTo(QueueRole.BITMAP);
        assertThat(QueueRole.of(5, FEATURES | BalloonFeatures.FREE_PAGE_BITMAP)).isEqualTo(QueueRole.BITMAP);
    }

    @Test
    @Tag("FPB-FEAT-1")
    void withoutTheFeatureTheReasonIsSaid() {
        guest.reboot(FEATURES);
        assertThatThrownBy(() -> guest.balloon.askForFreePages(BitmapRequest.ALL))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("not negotiated");
        guest.stop(false);
        guest.balloon.disconnected();
        assertThatThrownBy(() -> guest.balloon.askForFreePages(BitmapRequest.ALL))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("no VMM");
    }

    @Test
    void aBufferWhoseMemoryIsTakenAwayComesBackAndARequestTakesTheNext() throws LinuxException {
        var region = guest.ram.add(2 * START, MIB, 0, SharedFile.memfd("more", MIB));
        queue.add(writable(2 * START, 64));
        guest.process(BITMAP);
        guest.ram.memory().remove(region);
        guest.balloon.memoryChanged();

        guest.balloon.askForFreePages(BitmapRequest.ALL);
        assertThat(queue.usedLengths()).containsExactly(0);
        long address = giveRequestBuffer(64);
        assertThat(read(address, 24).getInt(0)).isEqualTo(answer().id());
    }

    @Test
    void aDriverThatGivesMoreRequestBuffersThanAreNeededHasTheOldestBack() {
        for (int i = 0; i < 6; i++) {
            giveRequestBuffer(64);
        }
        assertThat(queue.usedLengths()).containsExactly(0, 0);
    }

    @Test
    @Tag("FPB-LIM-6")
    @Tag("FPB-LIM-5")
    void aChunkThatSaysVeryMuchIsReadInSteps() throws LinuxException {
        guest.ram.add(64 * START, 64L << 30, 0, SharedFile.memfd("large", 64L << 30));
        int id = asked();
        byte[] every = new byte[1 << 20];
        Arrays.fill(every, (byte) 0b0101_0101);
        guest.steps = 0;
        send(chunk(id, LAST, 64 * START, 12, every.length * 8L, every));

        assertThat(guest.steps).isGreaterThan(4);
        assertThat(answer().bytes()).isEqualTo(every.length * 4L * PAGE);
        assertThat(answer().blockBytes().getFirst()).isEqualTo(every.length * 4L * PAGE);
    }

    @Test
    void whatWasAskedForAndCancelledInBetweenIsLeftAtThatPoint() {
        int id = asked();
        byte[] every = new byte[1 << 18];
        Arrays.fill(every, (byte) 0b0101_0101);
        queue.add(queue.readable(chunk(id, LAST, START, 12, every.length * 8L, every)));
        assertThat(guest.processOnce(BITMAP)).isTrue();
        guest.balloon.cancelFreePages();
        guest.process(BITMAP);

        assertThat(answer().state()).isEqualTo(BitmapState.CANCELLED);
        assertThat(queue.used()).hasSize(2);
    }

    /** Bits of single pages are read 64 at once, at any beginning of the chunk, and memory ends in between. */
    @ParameterizedTest
    @ValueSource(ints = {0, 1, 5, 63, 64, 100})
    @Tag("FPB-LIM-1")
    void singlePagesAreToldWhereverAChunkBeginsAndEnds(int first) throws LinuxException {
        // Not whole words of pages, and more than a part of a bitmap.
        long from = 4 * START + 20 * PAGE;
        int pages = 40_000;
        guest.ram.add(from, pages * PAGE, 0, SharedFile.memfd("more", pages * PAGE));
        int bits = pages + 200;
        byte[] bitmap = new byte[(bits + 7) / 8];
        new Random(first).nextBytes(bitmap);
        BitSet expected = BitSet.valueOf(bitmap).get(0, bits);
        int id = asked();
        send(chunk(id, LAST, from + (first - 100) * PAGE, 12, bits, bitmap));

        BitSet heard = new BitSet();
        for (News news : guest.news()) {
            if (news.kind() == Kind.HINTED) {
                int page = (int) ((news.address() - from) / PAGE);
                heard.set(page, page + (int) (news.length() / PAGE));
            }
        }
        int skipped = 100 - first;
        BitSet inMemory = expected.get(skipped, Math.min(bits, skipped + pages));
        assertThat(heard).isEqualTo(inMemory);
        assertThat(answer().bytes()).isEqualTo(inMemory.cardinality() * PAGE);
        assertThat(guest.balloon.freePages().ignoredPages()).isEqualTo(expected.cardinality() - inMemory.cardinality());
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6})
    void listenersHearExactlyThePagesOfTheBitmaps(long seed) {
        Random random = new Random(seed);
        int id = asked();
        int pages = 8 * MIB / (int) PAGE;
        BitSet expected = new BitSet(pages);
        for (int i = 0; i < 20; i++) {
            int shift = 12 + random.nextInt(10);
            int size = 1 << shift - 12;
            int first = random.nextInt(pages / size);
            int bits = random.nextInt(pages / size - first + 1);
            byte[] bitmap = new byte[(bits + 7) / 8];
            for (int bit = 0; bit < bits; bit++) {
                if (random.nextInt(3) == 0
                        || bit > 0 && random.nextBoolean() && (bitmap[bit - 1 >> 3] >> (bit - 1 & 7) & 1) == 1) {
                    bitmap[bit >> 3] |= (byte) (1 << (bit & 7));
                    expected.set((first + bit) * size, (first + bit + 1) * size);
                }
            }
            send(chunk(id, 0, START + first * (long) size * PAGE, shift, bits, bitmap));
        }
        send(chunk(id, LAST, START, 12, 0));

        PageSet heard = new PageSet();
        for (News news : guest.news()) {
            if (news.kind() == Kind.HINTED) {
                heard.addAll((news.address() - START) / PAGE, news.length() / PAGE);
            }
        }
        assertThat(heard.count()).as("seed %d", seed).isEqualTo(expected.cardinality());
        expected.stream()
                .forEach(page -> assertThat(heard.contains(page))
                        .as("seed %d, page %d", seed, page)
                        .isTrue());
        assertThat(answer().bytes()).isEqualTo(expected.cardinality() * PAGE);
        assertThat(answer().blockBytes().stream().mapToLong(Long::longValue).sum())
                .isEqualTo(answer().bytes());
    }
}
