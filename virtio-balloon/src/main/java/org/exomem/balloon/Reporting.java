package org.exomem.balloon;

import java.util.Arrays;
import org.exomem.pages.PageFeed;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;
import org.exomem.pages.PromisedMemory;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.memory.MemoryRegion;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * The reporting queue (VIRTIO, "Free Page Reporting"). The device-writable buffers of a chain are ranges that the guest does
 * not use, and does not touch until the chain is given back. A discard before that is safe (BAL-REP-1, BAL-REP-2). A report
 * does not change which pages are in the balloon. Used on the VM's event loop.
 *
 * <p>A step of the event loop does as much as its {@link StepBudget} allows; in between, a chain may be in hand, done in
 * part (BAL-STEP-1).
 */
final class Reporting {
    private static final int INDEX_BITS = 7;
    // Linux reports 32 at once.
    private static final int AT_ONCE = 1 << INDEX_BITS;

    private final PageFeed feed;
    private final @Nullable Discarder discarder;
    private final PromisedMemory promised;
    private final LeftAlone leftAlone;
    private final StepBudget budget;
    private final DescriptorChain chain = DescriptorChain.leavingUnsharedOut();
    /** The page of each buffer in the upper bits, and the buffer's index in the lower ones. */
    private final long[] order = new long[AT_ONCE];

    /** The pages given back for reports of this driver. The device cannot see when the guest uses one again. */
    private PageSet givenBack = new PageSet();

    private long reports;
    private long bytes;
    /** A chain was popped and not pushed; its buffers before {@link #group} are done. */
    private boolean holding;

    private int group;
    /** The number of buffers in the group; those before {@link #next}, in the order of their pages, are done. */
    private int groupSize;

    private int next;
    /** The bytes of the next buffer that are done. */
    private long doneBytes;

    /**
     * @param discarder null if nothing is to be discarded
     * @param promised memory that is not discarded although it is reported (BAL-REP-4, MEM-BLK-7)
     * @param leftAlone receives ranges that the front-end does not share
     * @param budget of the steps in which {@link #process} is called
     */
    Reporting(
            PageFeed feed,
            @Nullable Discarder discarder,
            PromisedMemory promised,
            LeftAlone leftAlone,
            StepBudget budget) {
        this.feed = feed;
        this.promised = promised;
        this.discarder = discarder;
        this.leftAlone = leftAlone;
        this.budget = budget;
    }

    /** The number of reports acknowledged since the device was made. */
    long reports() {
        return reports;
    }

    /** The bytes reported since the device was made, without those that the front-end does not share. */
    long bytes() {
        return bytes;
    }

    /** The pages of a GiB that were reported and given back; empty if there are none. */
    long[] told(int gib) {
        return givenBack.copy(gib);
    }

    /**
     * Takes and gives back available chains; only some of them if there are very many. A range of which the front-end does
     * not share every byte is left alone as a whole (BAL-REP-3).
     *
     * @param memory that contains the buffers
     * @param kept true if the pages keep their content: they are still to arrive (BAL-INF-8), or the guest finds its own
     *     value in free pages (poison_val is not 0), so that they must not become zeros (BAL-POI-2)
     * @return true if a chain is in hand that the next call continues
     * @throws DriverFault if a chain has device-readable bytes, which no report has: the driver uses the queue for something
     *     else
     */
    boolean process(Virtqueue queue, GuestMemory memory, boolean kept) {
        while (!budget.isSpent() && (holding || next(queue))) {
            // IMG-CLONE-7
            if (!kept && (!release() || memory.isDiscarding())) {
                return true;
            }
            reports++;
            bytes += chain.writableBytes() - chain.unsharedBytes();
            holding = false;
            queue.push(chain, 0);
        }
        return holding;
    }

    private boolean next(Virtqueue queue) {
        if (!queue.pop(chain)) {
            return false;
        }
        if (chain.readableBytes() > 0) {
            throw new DriverFault("a chain in the reporting queue has " + chain.readableBytes()
                    + " device-readable bytes; reports must have none");
        }
        leftAlone.pages(Pages.ceil(chain.unsharedBytes()));
        budget.spend((long) StepBudget.RUN * (1 + chain.buffers() + chain.unsharedBuffers()));
        holding = true;
        group = 0;
        groupSize = 0;
        return true;
    }

    /** Continues the chain as far as the budget allows; returns true when all of it is done. */
    private boolean release() {
        while (group < chain.buffers() && !budget.isSpent()) {
            if (groupSize == 0) {
                sortGroup();
            }
            while (next < groupSize && releaseNext()) {
                next++;
                doneBytes = 0;
            }
            if (next == groupSize) {
                group += groupSize;
                groupSize = 0;
            }
        }
        // Before the guest, or another device on the loop, can have the pages.
        if (discarder != null) {
            discarder.flush();
        }
        return group >= chain.buffers();
    }

    /** Sorts the group: neighbours may be in any order, and are to be punched in one call. */
    private void sortGroup() {
        groupSize = Math.min(AT_ONCE, chain.buffers() - group);
        next = 0;
        doneBytes = 0;
        for (int i = 0; i < groupSize; i++) {
            order[i] = Pages.floor(chain.guestAddress(group + i)) << INDEX_BITS | i;
        }
        Arrays.sort(order, 0, groupSize);
    }

    /** Continues the next buffer as far as the budget allows; returns true when all of it is done. */
    private boolean releaseNext() {
        int i = group + (int) (order[next] & (AT_ONCE - 1));
        long address = chain.guestAddress(i);
        long length = chain.length(i);
        if (discarder != null) {
            MemoryRegion region = chain.region(i);
            long start = region.fileOffset() + chain.offset(i);
            long most = Discarder.mostAtOnce(region.file());
            while (doneBytes < length) {
                if (budget.isSpent()) {
                    return false;
                }
                doneBytes = promised.nextUnpromised(address + doneBytes, address + length) - address;
                long from = start + doneBytes;
                long end = start + promised.next(address + doneBytes, address + length) - address;
                long to = Math.min(end, (from / most + 1) * most);
                if (from < to) {
                    discarder.add(region, from, to);
                }
                doneBytes += to - from;
            }
        }
        long pages = WholePages.count(address, length);
        if (pages > 0) {
            long first = WholePages.first(address);
            if (discarder != null && first + pages <= PageSet.LIMIT) {
                givenBack.addAll(first, pages);
                budget.spend((long) StepBudget.WORD * (pages / Long.SIZE));
            }
            feed.offer(PageFeed.Kind.REPORTED, 0, Pages.bytes(first), Pages.bytes(pages));
        }
        return true;
    }

    /**
     * Guest memory has changed: a chain in hand may have another place, or none. In the latter case the rest of it is left
     * alone.
     */
    void memoryChanged(GuestMemory memory) {
        if (holding && !chain.relocate(0, memory)) {
            long left = 0;
            for (int i = group; i < chain.buffers(); i++) {
                left += chain.length(i);
            }
            leftAlone.pages(Pages.ceil(left));
            group = chain.buffers();
            groupSize = 0;
        }
    }

    /**
     * The queue stops. A chain in hand becomes available again; the process that serves the queue next discards it once more
     * (BAL-STEP-2).
     *
     * @param completing true if the queue continues from its position; otherwise its chains are gone
     */
    void stopped(Virtqueue queue, boolean completing) {
        if (holding && completing) {
            queue.unpop(chain);
        }
        holding = false;
        givenBack = new PageSet();
    }
}
