package org.exomem.balloon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.exomem.balloon.TestQueue.writable;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.pages.PageDescriptors;
import org.exomem.pages.PageDescriptors.Guard;
import org.exomem.pages.PageDescriptors.Range;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ToldDescriptorsTest {
    private static final int BITMAP = 5;
    private static final long FEATURES =
            TestGuest.ALL_FEATURES & ~BalloonFeatures.PAGE_POISON | BalloonFeatures.FREE_PAGE_BITMAP;
    private static final ValueLayout.OfInt LE_INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final long START = 1L << 32;
    private static final int PAGE = 4096;
    private static final int LAST = 1;

    private TestGuest guest;
    private TestQueue queue;

    @BeforeEach
    void start() throws LinuxException {
        guest = new TestGuest();
        guest.start(FEATURES, 6);
        queue = guest.queues[BITMAP];
    }

    @AfterEach
    void close() {
        guest.close();
    }

    private void send(byte[] message) {
        queue.add(queue.readable(message));
        guest.process(BITMAP);
    }

    private void offerRequestBuffer() {
        queue.add(writable(guest.ram.allocate(64), 64));
        guest.process(BITMAP);
    }

    private List<PageDescriptors> told() {
        return guest.balloon.pageDescriptors();
    }

    private long ignored() {
        return guest.balloon.freePageBitmap().ignoredChunks();
    }

    @Test
    @Tag("FPB-DESC-1")
    void whatADriverTellsIsHandedOutAMessageEach() {
        DescriptorText first = DescriptorText.sensible();
        DescriptorText second = DescriptorText.sensible();
        second.pageShift = 16;
        second.mostOrder = 13;
        second.stride = 4096;
        second.markOffset = 4092;
        second.orderOffset = 0;
        second.markMask = -1;
        second.markValue = 0x8000_0001;
        second.guards = List.of(new Guard(-8, 0xffff, 7), new Guard(START, 1, 0));
        second.ranges = List.of(new Range(0, 1, START, 0b11), new Range(1L << 40, 1L << 30, 1L << 50, 0b10));
        send(first.bytes());
        send(second.bytes());

        assertThat(told()).containsExactly(first.expected(), second.expected());
        assertThat(ignored()).isZero();
    }

    @Test
    @Tag("FPB-DESC-1")
    @Tag("FPB-OWN-1")
    void aMessageIsUsedLikeAChunk() {
        long wanted = guest.ram.allocate(4);
        guest.ram.at(wanted, 4).set(LE_INT, 0, 99);
        queue.add(queue.readable(DescriptorText.sensible().bytes()), writable(wanted, 4));
        guest.process(BITMAP);

        assertThat(queue.usedLengths()).containsExactly(4);
        assertThat(guest.ram.at(wanted, 4).get(LE_INT, 0))
                .as("nothing is asked")
                .isZero();
    }

    @Test
    @Tag("FPB-DESC-1")
    void aRequestWaitsUntilAllIsToldAndIsAnsweredAsEver() {
        guest.balloon.askForFreePages(BitmapRequest.ALL);
        send(DescriptorText.sensible().bytes());
        assertThat(guest.balloon.freePageBitmap().state()).isEqualTo(BitmapState.REQUESTED);
        offerRequestBuffer();

        assertThat(queue.usedLengths()).containsExactly(0, 24);
        assertThat(guest.balloon.freePageBitmap().chunks()).isZero();
        assertThat(told()).hasSize(1);
    }

    @Test
    @Tag("FPB-DESC-1")
    void aMessageBehindARequestBufferIsIgnoredAndCounted() {
        send(DescriptorText.sensible().bytes());
        offerRequestBuffer();
        send(DescriptorText.sensible().bytes());

        assertThat(told()).hasSize(1);
        assertThat(ignored()).isEqualTo(1);
        assertThat(queue.usedLengths()).as("the message before, the late one").containsExactly(0, 0);
    }

    @Test
    void aMessageMayLieInManySmallPieces() {
        byte[] message = DescriptorText.ofRanges(300).bytes();
        List<TestQueue.Piece> pieces = new ArrayList<>();
        for (int at = 0; at < message.length; at += 7) {
            pieces.add(queue.readable(Arrays.copyOfRange(message, at, Math.min(message.length, at + 7))));
        }
        queue.add(pieces);
        guest.process(BITMAP);

        assertThat(told()).containsExactly(DescriptorText.ofRanges(300).expected());
    }

    @Test
    void bytesBehindTheRangesAndReservedOnesAreIgnored() {
        byte[] message = Arrays.copyOf(DescriptorText.sensible().bytes(), 1000);
        Arrays.fill(message, 0, 4, (byte) 1);
        Arrays.fill(message, 6, 8, (byte) 1);
        Arrays.fill(message, 26, 28, (byte) 1);
        send(message);

        assertThat(told()).containsExactly(DescriptorText.sensible().expected());
    }

    /** A way to make a message invalid, with its name. */
    private interface Spoil {
        void apply(DescriptorText message);
    }

    private static Arguments spoiled(String what, Spoil spoil) {
        return Arguments.of(what, spoil);
    }

    private static Spoil range(long address, long pages, long descriptors, int guards) {
        return message -> message.ranges = List.of(new Range(address, pages, descriptors, guards));
    }

    static Stream<Arguments> malformed() {
        return Stream.of(
                spoiled("pages of 2 KiB", message -> message.pageShift = 11),
                spoiled("pages of 2 GiB", message -> message.pageShift = 31),
                spoiled("pages of 2^255 bytes", message -> message.pageShift = 255),
                spoiled("blocks of 2^31 pages", message -> message.mostOrder = 31),
                spoiled("no stride", message -> message.stride = 0),
                spoiled("a stride less than a word", message -> message.stride = 3),
                spoiled("a stride beyond 4096", message -> message.stride = 4097),
                spoiled("a mark that reaches over the stride", message -> message.markOffset = 61),
                spoiled("a mark behind all strides", message -> message.markOffset = 0xffff),
                spoiled("an order that reaches over the stride", message -> message.orderOffset = 61),
                spoiled("an order behind all strides", message -> message.orderOffset = 0xfffe),
                spoiled("a mark without bits", message -> message.markMask = 0),
                spoiled("no guard", message -> message.guards = List.of()),
                spoiled(
                        "33 guards",
                        message -> message.guards = IntStream.range(0, 33)
                                .mapToObj(n -> new Guard(n, 1, 1))
                                .toList()),
                spoiled("65535 guards, of which one is there", message -> message.guardCount = 0xffff),
                spoiled("2^32 - 1 ranges, of which one is there", message -> message.rangeCount = -1),
                spoiled("two ranges, of which one is there", message -> message.rangeCount = 2),
                spoiled("two guards, of which one is there", message -> message.guardCount = 2),
                spoiled("a range within a page", range(START + 2048, 1, 0, 1)),
                spoiled("pages beyond 2^64", range(-PAGE, 2, 0, 1)),
                spoiled("2^64 - 1 pages", range(START, -1, 0, 1)),
                spoiled("2^63 pages", range(0, Long.MIN_VALUE, 0, 1)),
                spoiled("more pages than 2^64 bytes have", range(0, (1L << 52) + 1, 0, 1)),
                spoiled("descriptors beyond 2^64", range(0, 2, -127, 1)),
                spoiled("one descriptor beyond 2^64", range(0, 1, -63, 1)),
                spoiled("a range without a guard", range(START, 1, 0, 0)),
                spoiled("a range with a guard that is not there", range(START, 1, 0, 0b10)),
                spoiled("a range with the last of guards, which is not there", range(START, 1, 0, 1 << 31)),
                spoiled("a message of 31 bytes", message -> message.length = 31),
                spoiled("a message of nothing but its header", message -> message.length = 32),
                spoiled("a message that ends in its guard", message -> message.length = 47),
                spoiled("a message that ends in its range", message -> message.length = 79));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    @Tag("FPB-DESC-7")
    @Tag("FPB-LIM-3")
    void malformed(String what, Spoil spoil) {
        DescriptorText message = DescriptorText.sensible();
        spoil.apply(message);
        send(message.bytes());

        assertThat(told()).isEmpty();
        assertThat(ignored()).isEqualTo(1);
        assertThat(queue.used()).as("it is used").hasSize(1);
        send(DescriptorText.sensible().bytes());
        assertThat(told()).as("the next one counts").hasSize(1);
    }

    static Stream<Arguments> extremeButWellFormed() {
        return Stream.of(
                spoiled("pages of 1 GiB", message -> {
                    message.pageShift = 30;
                    message.ranges = List.of(new Range(1L << 30, 1, 0, 1));
                }),
                spoiled("blocks of 2^30 pages", message -> message.mostOrder = 30),
                spoiled("blocks of a page", message -> message.mostOrder = 0),
                spoiled("a stride of a word", message -> {
                    message.stride = 4;
                    message.markOffset = 0;
                    message.orderOffset = 0;
                }),
                spoiled("the last word of the longest stride", message -> {
                    message.stride = 4096;
                    message.markOffset = 4092;
                }),
                spoiled("32 guards, of which the last is needed", message -> {
                    message.guards = IntStream.range(0, 32)
                            .mapToObj(n -> new Guard(-n, n, n))
                            .toList();
                    message.ranges = List.of(new Range(START, 1, 0, 1 << 31));
                }),
                spoiled("the last page of all", range(-PAGE, 1, 0, 1)),
                spoiled("all pages of all", range(0, 1L << 52, 0, 1)),
                spoiled("the last descriptor of all", range(0, 2, -128, 1)),
                spoiled("descriptors of all of the address space", message -> {
                    message.stride = 4096;
                    message.ranges = List.of(new Range(0, 1L << 52, 0, 1));
                }),
                spoiled("a range of no pages", range(START, 0, -1, 1)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    @Tag("FPB-DESC-7")
    void extremeButWellFormed(String what, Spoil spoil) {
        DescriptorText message = DescriptorText.sensible();
        spoil.apply(message);
        send(message.bytes());

        assertThat(told()).containsExactly(message.expected());
        assertThat(ignored()).isZero();
    }

    @Test
    @Tag("FPB-DESC-7")
    void aMessageWithOneMalformedRangeAmongManyAddsNone() {
        DescriptorText message = DescriptorText.ofRanges(1000);
        message.ranges = new ArrayList<>(message.ranges);
        message.ranges.set(999, new Range(START + 1, 1, 0, 1));
        send(message.bytes());

        assertThat(told()).isEmpty();
        assertThat(ignored()).isEqualTo(1);
    }

    @Test
    @Tag("FPB-DESC-8")
    void messagesWithMoreRangesThanAreLeftAreIgnored() {
        send(DescriptorText.ofRanges(ToldDescriptors.MOST + 1).bytes());
        assertThat(told()).isEmpty();
        assertThat(ignored()).isEqualTo(1);
        byte[] most = DescriptorText.ofRanges(ToldDescriptors.MOST - 1).bytes();
        send(most);
        send(most);
        assertThat(told()).hasSize(1);
        send(DescriptorText.ofRanges(2).bytes());
        send(DescriptorText.ofRanges(1).bytes());
        send(DescriptorText.ofRanges(1).bytes());

        assertThat(told().stream().mapToInt(descriptors -> descriptors.ranges().size()))
                .containsExactly(ToldDescriptors.MOST - 1, 1);
        assertThat(ignored()).isEqualTo(4);
    }

    @Test
    @Tag("FPB-DESC-8")
    void messagesWithMoreGuardsThanAreLeftAreIgnored() {
        DescriptorText message = DescriptorText.sensible();
        message.guards =
                IntStream.range(0, 32).mapToObj(n -> new Guard(n, 1, 1)).toList();
        TestQueue.Piece piece = queue.readable(message.bytes());
        for (int i = 0; i < ToldDescriptors.MOST / 32 + 10; i++) {
            queue.add(piece);
            guest.process(BITMAP);
        }

        assertThat(told()).hasSize(ToldDescriptors.MOST / 32);
        assertThat(ignored()).isEqualTo(10);
    }

    @Test
    void howMuchMemoryIsDescribedIsTheSumOfTheRangesIfThatIsANumber() {
        assertThat(guest.balloon.freePageBitmap().describedBytes()).isZero();
        send(DescriptorText.sensible().bytes());
        DescriptorText other = DescriptorText.sensible();
        other.pageShift = 16;
        other.ranges = List.of(new Range(0, 1, 0, 1), new Range(0, 2, 0, 1));
        send(other.bytes());
        assertThat(guest.balloon.freePageBitmap().describedBytes()).isEqualTo((1L << 30) + 3 * (1 << 16));

        other.ranges = List.of(new Range(0, 1L << 48, 0, 1));
        send(other.bytes());
        assertThat(guest.balloon.freePageBitmap().describedBytes()).isEqualTo(Long.MAX_VALUE);
        guest.stop(BITMAP, true);
        assertThat(guest.balloon.freePageBitmap().describedBytes()).isZero();
    }

    @Test
    @Tag("FPB-DESC-8")
    void ofMessagesWithoutARangeNothingIsKept() {
        DescriptorText message = DescriptorText.sensible();
        message.ranges = List.of();
        for (int i = 0; i < 100; i++) {
            send(message.bytes());
        }

        assertThat(told()).isEmpty();
        assertThat(ignored()).isZero();
    }

    @Test
    @Tag("FPB-LIM-6")
    @Tag("BAL-STEP-1")
    void aMessageThatSaysVeryMuchIsReadInSteps() {
        guest.steps = 0;
        send(DescriptorText.ofRanges(ToldDescriptors.MOST).bytes());
        assertThat(guest.steps).isGreaterThan(1);
        assertThat(told())
                .containsExactly(DescriptorText.ofRanges(ToldDescriptors.MOST).expected());
    }

    @Test
    @Tag("FPB-DESC-9")
    void aResetEndsThem() {
        send(DescriptorText.sensible().bytes());
        guest.reboot(FEATURES);
        assertThat(told()).isEmpty();

        send(DescriptorText.ofRanges(2).bytes());
        assertThat(told())
                .as("the new driver's")
                .containsExactly(DescriptorText.ofRanges(2).expected());
    }

    /** QEMU's steps at a stop and a cont, with a reset as the protocol demands at the end of each start. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    @Tag("FPB-DESC-9")
    void aPauseKeepsThemAndHandsNoneOutMeanwhile(boolean reset) {
        send(DescriptorText.sensible().bytes());
        offerRequestBuffer();
        int base = guest.stop(BITMAP, true);
        if (reset) {
            guest.balloon.reset();
            guest.balloon.featuresAcknowledged(FEATURES);
        }
        assertThat(told()).as("the machine may be reset").isEmpty();
        guest.start(BITMAP, base);

        assertThat(told()).hasSize(1);
        send(DescriptorText.sensible().bytes());
        assertThat(told()).as("it is still too late for more").hasSize(1);
    }

    @Test
    @Tag("FPB-DESC-9")
    void aPauseInBetweenTwoMessagesLosesNone() {
        send(DescriptorText.sensible().bytes());
        guest.start(BITMAP, guest.stop(BITMAP, true));
        send(DescriptorText.sensible().bytes());

        assertThat(told()).hasSize(2);
    }

    @Test
    @Tag("FPB-DESC-9")
    @Tag("BAL-STEP-2")
    void aPauseInTheMiddleOfAMessageLosesNothing() {
        queue.add(queue.readable(DescriptorText.ofRanges(ToldDescriptors.MOST).bytes()));
        assertThat(guest.processOnce(BITMAP)).isTrue();
        int base = guest.stop(BITMAP, true);
        assertThat(queue.used()).isEmpty();
        guest.start(BITMAP, base);
        guest.process(BITMAP);

        assertThat(told().getFirst().ranges()).hasSize(ToldDescriptors.MOST);
        assertThat(queue.used()).hasSize(1);
    }

    @Test
    @Tag("FPB-DESC-9")
    void aQueueThatGoesOnElsewhereHasAnotherDriver() {
        send(DescriptorText.sensible().bytes());
        send(DescriptorText.sensible().bytes());
        guest.stop(BITMAP, true);
        // Of another driver, or of this one in its earlier state.
        queue.takeBackLast();
        guest.start(BITMAP, 2);

        assertThat(told()).isEmpty();
    }

    @Test
    @Tag("FPB-DESC-9")
    void anotherFrontEndHasAnotherGuestWhereverItsQueueStands() {
        send(DescriptorText.sensible().bytes());
        int base = guest.stop(BITMAP, false);
        guest.balloon.disconnected();
        guest.balloon.connected(guest);
        guest.balloon.featuresAcknowledged(FEATURES);
        guest.start(BITMAP, base);

        assertThat(told()).isEmpty();
    }

    @Test
    void aMessageWhoseMemoryIsTakenAwayIsGivenBackUnread() throws LinuxException {
        byte[] message = DescriptorText.ofRanges(ToldDescriptors.MOST).bytes();
        var region = guest.ram.add(4 * START, 4 << 20, 0, SharedFile.memfd("more", 4 << 20));
        MemorySegment.copy(MemorySegment.ofArray(message), 0, region.segment(), 0, message.length);
        queue.add(new TestQueue.Piece(4 * START, message.length, false));
        assertThat(guest.processOnce(BITMAP)).isTrue();
        guest.ram.memory().remove(region);
        guest.balloon.memoryChanged();
        guest.process(BITMAP);

        assertThat(told()).isEmpty();
        assertThat(queue.usedLengths()).containsExactly(0);
    }

    @Test
    @Tag("FPB-DESC-10")
    @Tag("FPB-BIT-6")
    void thoseOfAGuestThatChecksItsFreePagesAreNotHandedOut() {
        guest.reboot(FEATURES | BalloonFeatures.PAGE_POISON);
        send(DescriptorText.sensible().bytes());

        assertThat(told()).isEmpty();
        assertThat(ignored()).as("there is nothing wrong with them").isZero();
    }

    @Test
    void theFormatOf2016HasNone() throws LinuxException {
        try (TestGuest rfc = new TestGuest(
                new BalloonOptions(false, false, false, false, false, false, FreePageRequests.RFC, false))) {
            rfc.start(BalloonFeatures.GET_FREE_PAGES, 3);
            rfc.queues[2].add(rfc.queues[2].readable(DescriptorText.sensible().bytes()));
            rfc.process(2);

            assertThat(rfc.balloon.pageDescriptors()).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    @Tag("FPB-DESC-7")
    @Tag("FPB-DESC-8")
    void whateverComesIsWithinItsBoundsOrIgnored(long seed) {
        Random random = new Random(seed);
        for (int i = 0; i < 800; i++) {
            send(DescriptorText.random(random));
        }

        assertThat(queue.used()).hasSize(800);
        assertThat(told()).isNotEmpty();
        told().forEach(DescriptorText::requireWellFormed);
        assertThat(ignored()).isPositive().isLessThan(800);
    }
}
