package org.exomem.balloon;

import java.time.Duration;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.exomem.pages.Pages;

/**
 * What the driver named and the device left alone while it served the rest of the buffer: pages that the front-end does not
 * share, and the remainder of a buffer of page numbers after the last whole number (BAL-INF-4, BAL-INF-7, BAL-HINT-10,
 * BAL-REP-3). This can happen without a fault of the driver: memory was plugged into the guest that its VMM does not share
 * with every device.
 *
 * <p>The pages are counted, and reported at most once a second, because a guest can name such pages as often as it likes.
 * Used on the VM's event loop.
 */
final class LeftAlone {
    private static final long SILENCE_NANOS = Duration.ofSeconds(1).toNanos();

    private final LongSupplier nanoTime;
    private final Consumer<String> tell;
    private long pages;
    private long untoldPages;
    private long untoldCuts;
    private long example;
    private boolean told;
    private long toldAt;

    /**
     * @param nanoTime a clock in nanoseconds, as {@link System#nanoTime}
     * @param tell receives the messages
     */
    LeftAlone(LongSupplier nanoTime, Consumer<String> tell) {
        this.nanoTime = nanoTime;
        this.tell = tell;
    }

    /** The number of 4096-byte pages that were named and left alone since the device was made; a page counts each time. */
    long pages() {
        return pages;
    }

    /** Notes a page by its number. */
    void page(long page) {
        pages++;
        untoldPages++;
        example = page;
    }

    /** Notes {@code count} pages of a range or a buffer, 0 or more. */
    void pages(long count) {
        pages += count;
        untoldPages += count;
    }

    /** Notes a buffer that does not end with a whole page number. It counts as one page. */
    void cutNumber() {
        pages++;
        untoldCuts++;
    }

    /** Reports what is new, unless the last message is less than a second old. The next message then includes it. */
    void tell() {
        if (untoldPages == 0 && untoldCuts == 0) {
            return;
        }
        long now = nanoTime.getAsLong();
        if (told && now - toldAt < SILENCE_NANOS) {
            return;
        }
        told = true;
        toldAt = now;
        String what = message();
        untoldPages = 0;
        untoldCuts = 0;
        example = 0;
        tell.accept(what);
    }

    private String message() {
        StringBuilder text = new StringBuilder("the driver ");
        if (untoldPages > 0) {
            text.append("named ").append(untoldPages).append(" pages that the VMM does not share");
            if (example != 0) {
                text.append(" (the last: PFN ")
                        .append(example)
                        .append(", address 0x")
                        .append(Long.toHexString(Pages.bytes(example)))
                        .append(')');
            }
        }
        if (untoldCuts > 0) {
            text.append(untoldPages > 0 ? " and sent " : "sent ")
                    .append(untoldCuts)
                    .append(" buffers whose length is not a multiple of 4");
        }
        return text.append("; they are ignored, and the queue continues").toString();
    }
}
