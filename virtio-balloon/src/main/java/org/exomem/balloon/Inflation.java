package org.exomem.balloon;

import java.util.function.LongPredicate;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * The inflate and the deflate queue. Pages that the driver puts in go to the host before the chain goes back to the
 * driver: it may use them again from then on, having told of it or not.
 *
 * <p>The two queues are served one after the other, each as its kicks come. A page can't be waiting in both: the driver
 * must not ask for a page back before its inflation was acknowledged ("Device Operation"), and one that does so all the
 * same, or that puts a page back in before its deflation was acknowledged, loses the content of that page only. What
 * holds where one page of the host has many of the guest's is said in {@link HostPages}.
 */
final class Inflation {
    private static final LongPredicate NONE = page -> false;

    private final PfnQueue queues;
    private final GuestMemory memory;
    private final @Nullable HostPages hostPages;
    // Made once: a method reference where it is used would be a new object for each kick.
    private final PfnQueue.Effect putIn = this::putIn;
    private final PfnQueue.Effect takeOut = this::takeOut;
    private final PfnBatch.Run putRunIn;
    private final PfnBatch.Run takeRunOut;
    private final LongPredicate inBalloon;
    private boolean mustTellHost;

    /** @param discarder null if nothing is to be discarded */
    Inflation(PfnQueue queues, BalloonedPages pages, GuestMemory memory, @Nullable Discarder discarder) {
        this.queues = queues;
        this.memory = memory;
        this.putRunIn = pages::putIn;
        this.takeRunOut = pages::takeOut;
        this.inBalloon = pages.set()::contains;
        this.hostPages = discarder == null ? null : new HostPages(memory, pages.set(), discarder);
    }

    void memoryChanged() {
        if (hostPages != null) {
            hostPages.memoryChanged();
        }
    }

    /**
     * Serves the inflate queue.
     *
     * @param negotiated true if the driver has MUST_TELL_HOST
     * @throws DriverFault if a buffer is not an array of numbers of pages in memory
     */
    void inflate(Virtqueue queue, boolean negotiated) {
        mustTellHost = negotiated;
        queues.process(queue, memory, NONE, putIn);
    }

    /**
     * Serves the deflate queue. A page that is in the balloon may be taken out though its memory has gone.
     *
     * @throws DriverFault if a buffer is not an array of numbers of pages in memory or in the balloon
     */
    void deflate(Virtqueue queue) {
        queues.process(queue, memory, inBalloon, takeOut);
    }

    private void putIn(PfnBatch batch) {
        // All pages first: parts of a larger host page may come in different runs.
        batch.forEachRun(putRunIn);
        if (hostPages != null) {
            hostPages.discard(batch, mustTellHost);
        }
    }

    private void takeOut(PfnBatch batch) {
        batch.forEachRun(takeRunOut);
    }
}
