package org.exomem.balloon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.exomem.balloon.TestQueue.writable;

import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.exomem.balloon.TestGuest.News;
import org.exomem.linux.LinuxException;
import org.exomem.linux.SharedFile;
import org.exomem.pages.PageFeed.Kind;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The bitmap in the format of 2016. The guest has 8 MiB of RAM from address 0 on, and 8 MiB from 4 GiB on. */
class RfcFormatTest {
    private static final int FREE_PAGES = 3;
    private static final long PAGE = 4096;
    private static final long LOW = 8 << 20;
    private static final long HIGH = 1L << 32;
    private static final long VGA = 0xa_0000;
    private static final long VGA_END = 0xc_0000;
    private static final BalloonOptions RFC =
            new BalloonOptions(true, true, true, false, false, true, FreePageRequests.RFC, true);

    private TestGuest guest;
    private TestQueue queue;

    @BeforeEach
    void start() throws LinuxException {
        guest = new TestGuest(RFC);
        // As QEMU shares it: without the hole for the VGA.
        guest.ram.add(0, VGA, 0, SharedFile.memfd("lowest", VGA));
        guest.ram.add(VGA_END, LOW - VGA_END, VGA_END, SharedFile.memfd("low", LOW));
        guest.ram.add(HIGH, LOW, 0, SharedFile.memfd("high", LOW));
        guest.start(RFC.features(), 5);
        queue = guest.queues[FREE_PAGES];
        guest.news();
    }

    @AfterEach
    void close() {
        guest.close();
    }

    private long giveRequestBuffer() {
        long address = guest.ram.allocate(8);
        queue.add(writable(address, 8));
        guest.process(FREE_PAGES);
        return address;
    }

    private static byte[] answer(long count, long bytes, byte... bitmap) {
        return ByteBuffer.allocate(16 + bitmap.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(count)
                .putLong(bytes)
                .put(bitmap)
                .array();
    }

    private BitmapAnswer answer() {
        return guest.balloon.freePageBitmap();
    }

    @Test
    @Tag("FPB-RFC-1")
    @Tag("FPB-RFC-2")
    void theRequestTellsWhereTheHoleIsAndTheAnswerCountsRamWithoutIt() {
        long request = giveRequestBuffer();
        guest.balloon.askForFreePages(BitmapRequest.ALL);
        assertThat(queue.usedLengths()).containsExactly(8);
        assertThat(guest.ram.at(request, 8).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(Arrays.copyOf(answer(LOW, 0), 8));

        byte[] bitmap = new byte[(int) (2 * LOW / PAGE / 8)];
        bitmap[0] = 0b10;
        // The last pages below the hole, and the first behind it.
        bitmap[bitmap.length / 2 - 1] = (byte) 0b1100_0000;
        bitmap[bitmap.length / 2] = 0b111;
        queue.add(queue.readable(answer(6, bitmap.length, bitmap)), writable(request, 8));
        guest.process(FREE_PAGES);

        assertThat(answer().state()).isEqualTo(BitmapState.COMPLETE);
        assertThat(answer().bytes()).isEqualTo(6 * PAGE);
        int id = answer().id();
        assertThat(guest.news())
                .containsExactly(
                        new News(Kind.HINTING_STARTED, id, 0, 0),
                        new News(Kind.HINTED, id, PAGE, PAGE),
                        new News(Kind.HINTED, id, LOW - 2 * PAGE, 2 * PAGE),
                        new News(Kind.HINTED, id, HIGH, 3 * PAGE),
                        new News(Kind.HINTING_ENDED, id, 0, 0));
        assertThat(queue.usedLengths())
                .as("the answer's buffer waits for the next request")
                .containsExactly(8);
        guest.balloon.askForFreePages(BitmapRequest.ALL);
        assertThat(queue.usedLengths()).containsExactly(8, 8);
    }

    @Test
    @Tag("FPB-RFC-3")
    void theCountOfFreePagesIsNotBelievedAndAShortBitmapIsMalformed() {
        giveRequestBuffer();
        guest.balloon.askForFreePages(BitmapRequest.ALL);
        queue.add(queue.readable(answer(1, 3, (byte) -1, (byte) -1)));
        queue.add(queue.readable(answer(1, -1, (byte) -1, (byte) -1)));
        queue.add(queue.readable(new byte[15]));
        guest.process(FREE_PAGES);
        assertThat(answer().ignoredChunks()).isEqualTo(3);

        queue.add(queue.readable(answer(1L << 60, 1, (byte) -1, (byte) -1)));
        guest.process(FREE_PAGES);
        assertThat(answer().bytes()).isEqualTo(8 * PAGE);
        assertThat(queue.usedLengths()).containsExactly(8, 0, 0, 0, 0);
    }

    @Test
    @Tag("FPB-RFC-2")
    void anAnswerWithoutARequestIsIgnoredAndItsBufferTakesTheNextOne() {
        long buffer = guest.ram.allocate(8);
        queue.add(queue.readable(answer(8, 1, (byte) -1)), writable(buffer, 8));
        guest.process(FREE_PAGES);
        assertThat(answer().ignoredChunks()).isEqualTo(1);
        assertThat(guest.news()).isEmpty();

        guest.balloon.askForFreePages(BitmapRequest.ALL);
        assertThat(queue.usedLengths()).containsExactly(8);
        assertThat(answer().bytes()).isZero();
    }

    @Test
    @Tag("FPB-RFC-1")
    void itExcludesFreePageHinting() {
        assertThat(guest.balloon.features() >>> 3 & 1).isEqualTo(1);
        assertThatThrownBy(guest.balloon::startHinting).hasMessageContaining("not negotiated");
        assertThatThrownBy(() -> new BalloonOptions(true, true, true, true, true, true, FreePageRequests.RFC, true))
                .hasMessageContaining("same feature bit");
    }

    @Test
    void aQueueThatStopsGivesTheBufferBack() {
        giveRequestBuffer();
        guest.stop(FREE_PAGES, true);
        assertThat(queue.usedLengths()).containsExactly(0);
    }
}
