package org.exomem.balloon;

import java.util.function.LongPredicate;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * The inflate and the deflate queue. Pages that the driver puts in go to the host before the chain goes back to the
 * driver: it may use them again from then on, having told of it or not.
 *
 * <p>The two queues are served one after the other, each as its kicks come, and one while chains of the other are in hand.
 * A page can't be waiting in both: the driver must not ask for a page back before its inflation was acknowledged ("Device
 * Operation"), and one that does so all the same, or that puts a page back in before its deflation was acknowledged, loses
 * the content of that page only. What holds where one page of the host has many of the guest's is said in {@link
 * HostPages}.
 */
final class Inflation {
    private static final LongPredicate NONE = page -> false;

    private final PfnQueue inflateQueue;
    private final PfnQueue deflateQueue;
    private final @Nullable HostPages hostPages;

    /**
     * @param discarder null if nothing is to be discarded
     * @param leftAlone is told of pages that are not in memory
     * @param budget of the steps in which the queues are served
     */
    Inflation(
            BalloonedPages pages,
            GuestMemory memory,
            @Nullable Discarder discarder,
            LeftAlone leftAlone,
            StepBudget budget) {
        this.hostPages = discarder == null ? null : new HostPages(memory, pages.set(), discarder, budget);
        this.inflateQueue = new PfnQueue(memory, NONE, new PutIn(pages, hostPages, memory), leftAlone, budget);
        this.deflateQueue = new PfnQueue(memory, pages.set()::contains, new TakeOut(pages, budget), leftAlone, budget);
    }

    void memoryChanged() {
        inflateQueue.memoryChanged();
        deflateQueue.memoryChanged();
        if (hostPages != null) {
            hostPages.memoryChanged();
        }
    }

    /**
     * Serves the inflate queue.
     *
     * @param mustTellHost true if the driver has that feature
     * @return true if chains are in hand with which the next call goes on
     * @throws DriverFault if a chain breaks a rule of the ring
     */
    boolean inflate(Virtqueue queue, boolean mustTellHost) {
        if (hostPages != null) {
            hostPages.mustTellHost(mustTellHost);
        }
        return inflateQueue.process(queue);
    }

    /**
     * Serves the deflate queue. A page that is in the balloon may be taken out though its memory has gone.
     *
     * @return true if chains are in hand with which the next call goes on
     * @throws DriverFault if a chain breaks a rule of the ring
     */
    boolean deflate(Virtqueue queue) {
        return deflateQueue.process(queue);
    }

    /** True while chains of the inflate queue were taken and not given back. */
    boolean hasInflateChains() {
        return inflateQueue.hasChains();
    }

    /** Where the inflate queue is without the chains in hand; a number as {@link Virtqueue#base} returns. */
    int settledInflatePosition(Virtqueue queue) {
        return inflateQueue.settledPosition(queue);
    }

    void inflateQueueStopped(Virtqueue queue, boolean completing) {
        inflateQueue.stopped(queue, completing);
        if (hostPages != null) {
            hostPages.forget();
        }
    }

    void deflateQueueStopped(Virtqueue queue, boolean completing) {
        deflateQueue.stopped(queue, completing);
    }

    private static final class PutIn implements PfnQueue.Effect {
        private final @Nullable HostPages hostPages;
        // Made once: a method reference where it is used would be a new object for each kick.
        private final PfnBatch.Run putIn;
        private final GuestMemory memory;
        /** The batch at hand is discarded. */
        private boolean discarding;

        PutIn(BalloonedPages pages, @Nullable HostPages hostPages, GuestMemory memory) {
            this.hostPages = hostPages;
            this.memory = memory;
            this.putIn = pages::putIn;
        }

        @Override
        public void begin(PfnBatch batch) {
            // All pages first: parts of a larger host page may come in different runs.
            batch.forEachRun(putIn);
            // BAL-INF-8
            discarding = hostPages != null && !memory.isArriving();
            if (hostPages != null && discarding) {
                hostPages.begin(batch);
            }
        }

        @Override
        public boolean goOn(PfnBatch batch) {
            return hostPages == null || !discarding || hostPages.discardSome(batch);
        }
    }

    private static final class TakeOut implements PfnQueue.Effect {
        private final PfnBatch.Run takeOut;
        private final StepBudget budget;

        TakeOut(BalloonedPages pages, StepBudget budget) {
            this.takeOut = pages::takeOut;
            this.budget = budget;
        }

        @Override
        public void begin(PfnBatch batch) {
            batch.forEachRun(takeOut);
            budget.spend((long) StepBudget.PAGE_NUMBER * batch.count());
        }

        @Override
        public boolean goOn(PfnBatch batch) {
            return true;
        }
    }
}
