package org.exomem.balloon;

import java.util.Arrays;
import org.exomem.pages.PageFeed;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * The reporting queue (VIRTIO, "Free Page Reporting"): the device-writable buffers of a chain are ranges that the guest
 * does not use, and does not touch until the chain comes back to it. So what is discarded before that is discarded
 * safely. The pages in the balloon are another matter: a report neither adds nor takes one.
 */
final class Reporting {
    private static final int INDEX_BITS = 7;
    // Linux reports 32 at once.
    private static final int AT_ONCE = 1 << INDEX_BITS;

    private final PageFeed feed;
    private final @Nullable Discarder discarder;
    private final DescriptorChain chain = new DescriptorChain();
    /** The page of each buffer in the upper bits, and which buffer it is in the lower ones. */
    private final long[] order = new long[AT_ONCE];

    private long reports;
    private long bytes;

    /** @param discarder null if nothing is to be discarded */
    Reporting(PageFeed feed, @Nullable Discarder discarder) {
        this.feed = feed;
        this.discarder = discarder;
    }

    /** The reports acknowledged since the device was made. */
    long reports() {
        return reports;
    }

    /** The bytes reported since the device was made. */
    long bytes() {
        return bytes;
    }

    /**
     * Takes and gives back all that is available.
     *
     * @param poisoned true if the guest finds its own value in free pages (poison_val is not 0): they may not become
     *     zeros, so they stay
     * @throws DriverFault if a chain has something to read, which no report has: the driver takes the queue for another
     */
    void process(Virtqueue queue, boolean poisoned) {
        while (queue.pop(chain)) {
            if (chain.readableBytes() > 0) {
                throw new DriverFault("a chain in the reporting queue has " + chain.readableBytes()
                        + " device-readable bytes; reports have none");
            }
            if (!poisoned) {
                release();
            }
            reports++;
            bytes += chain.writableBytes();
            queue.push(chain, 0);
        }
    }

    private void release() {
        for (int first = 0; first < chain.buffers(); first += AT_ONCE) {
            release(first, Math.min(AT_ONCE, chain.buffers() - first));
        }
        if (discarder != null) {
            discarder.flush();
        }
    }

    private void release(int first, int buffers) {
        // Neighbours may come in any order, and are to go in one call.
        for (int i = 0; i < buffers; i++) {
            order[i] = chain.guestAddress(first + i) >>> 12 << INDEX_BITS | i;
        }
        Arrays.sort(order, 0, buffers);
        for (int k = 0; k < buffers; k++) {
            int i = first + (int) (order[k] & AT_ONCE - 1);
            long address = chain.guestAddress(i);
            long length = chain.length(i);
            if (discarder != null) {
                MemoryRegion region = chain.region(i);
                long offset = region.fileOffset() + chain.offset(i);
                discarder.add(region.file(), offset, offset + length);
            }
            long pages = WholePages.count(address, length);
            if (pages > 0) {
                feed.offer(PageFeed.Kind.REPORTED, 0, WholePages.first(address) << 12, pages << 12);
            }
        }
    }
}
