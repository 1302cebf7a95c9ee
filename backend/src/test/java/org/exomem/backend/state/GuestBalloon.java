package org.exomem.backend.state;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.BitSet;
import java.util.List;
import java.util.Random;
import org.exomem.conformance.guest.BalloonFeatures;
import org.exomem.conformance.guest.Buffer;
import org.exomem.conformance.guest.GuestRam;

/** A driver of a balloon that inflates and deflates random pages, with many requests at once in both queues. */
final class GuestBalloon extends GuestDevice {
    private static final int INFLATE = 0;
    private static final int DEFLATE = 1;
    private static final int AT_ONCE = 16;
    private static final int MOST_PAGES = 32;

    private final int vm;
    private final Random random;
    private final long buffers;
    private final int firstPage;
    private final int pages;
    private final int[] nextBuffer = new int[2];
    /** The pages that the device has acknowledged as in the balloon. */
    private final BitSet inside = new BitSet();
    /** The pages of outstanding requests. */
    private final BitSet underWay = new BitSet();

    private long numPages;
    private int actual;
    long answers;

    /** @param pages the number of the guest's pages that are moved in and out */
    GuestBalloon(GuestRam ram, Path sockets, int vm, long features, boolean tracked, int pages, Random random)
            throws IOException {
        super(ram, DevicesProcess.balloonSocket(sockets, vm), 2, features | BalloonFeatures.MUST_TELL_HOST, tracked);
        this.vm = vm;
        this.random = random;
        this.buffers = ram.allocate(2L * AT_ONCE * MOST_PAGES * 4, 4);
        this.firstPage = (int) (ram.firstFreePage() / GuestRam.PAGE) + 64;
        this.pages = pages;
    }

    @Override
    void step() throws IOException {
        for (int queue = INFLATE; queue <= DEFLATE; queue++) {
            while (outstanding(queue) < AT_ONCE && random.nextInt(6) != 0) {
                send(queue, random.nextInt(pages), 1 + random.nextInt(MOST_PAGES));
            }
            kick(queue);
            poll(queue);
        }
    }

    /** Moves the pages of a range that can be moved. */
    private void send(int queue, int first, int most) {
        BitSet moved = new BitSet();
        for (int page = first; page < Math.min(pages, first + most); page++) {
            if (inside.get(page) == (queue == DEFLATE) && !underWay.get(page)) {
                moved.set(page);
            }
        }
        if (moved.isEmpty()) {
            return;
        }
        underWay.or(moved);
        long at = buffers + (queue * AT_ONCE + nextBuffer[queue]) * MOST_PAGES * 4L;
        nextBuffer[queue] = (nextBuffer[queue] + 1) % AT_ONCE;
        int[] count = new int[1];
        moved.stream().forEach(page -> {
            ram.putInt(at + 4L * count[0]++, firstPage + page);
            if (queue == INFLATE) {
                ram.putInt(address(page), page + 1);
            }
        });
        submit(queue, List.of(Buffer.readable(at, 4L * count[0])), used -> {
            underWay.andNot(moved);
            if (queue == INFLATE) {
                inside.or(moved);
            } else {
                inside.andNot(moved);
            }
            moved.stream()
                    .forEach(page -> assertThat(ram.getInt(address(page)))
                            .as("VM %d: page %d was given to the host", vm, page)
                            .isZero());
            answers++;
        });
    }

    private long address(int page) {
        return (firstPage + (long) page) * GuestRam.PAGE;
    }

    @Override
    void check(DevicesProcess process) throws IOException {
        drain(INFLATE);
        drain(DEFLATE);
        assertThat(process.pagesInBalloon(vm))
                .as("VM %d: pages in the balloon", vm)
                .isEqualTo(inside.cardinality());
        ByteBuffer config = config();
        assertThat(Integer.toUnsignedLong(config.getInt(0)))
                .as("VM %d: num_pages", vm)
                .isEqualTo(numPages);
        assertThat(config.getInt(4)).as("VM %d: actual", vm).isEqualTo(actual);
        if (random.nextInt(3) == 0) {
            long wish = random.nextInt(pages + 1);
            process.inflateTo(vm, wish);
            numPages = wish;
        }
        if (random.nextInt(3) == 0) {
            ByteBuffer written = config().putInt(4, inside.cardinality());
            frontEnd().setConfig(0, written.array());
            actual = inside.cardinality();
        }
    }

    private ByteBuffer config() throws IOException {
        return ByteBuffer.wrap(frontEnd().getConfig(0, 16)).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Takes out every page that was acknowledged as in the balloon. If the device has others in it, they remain. */
    void empty(DevicesProcess process) throws IOException {
        while (!inside.isEmpty()) {
            for (int page = inside.nextSetBit(0); page >= 0 && outstanding(DEFLATE) < AT_ONCE; ) {
                send(DEFLATE, page, MOST_PAGES);
                page = inside.nextSetBit(page + MOST_PAGES);
            }
            drain(DEFLATE);
        }
        assertThat(process.pagesInBalloon(vm))
                .as("VM %d: pages that the guest does not know of", vm)
                .isZero();
    }
}
