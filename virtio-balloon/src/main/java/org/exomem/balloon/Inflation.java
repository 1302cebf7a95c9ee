package org.exomem.balloon;

import java.util.function.LongPredicate;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.memory.GuestMemory;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.Virtqueue;
import org.jspecify.annotations.Nullable;

/**
 * The inflate and the deflate queue. A page that the driver puts in is given back to the host before the chain is given back
 * to the driver. After that the driver may use the page again, with or without telling the device.
 *
 * <p>The two queues are served one after the other, as their kicks arrive, and one of them also while chains of the other
 * are in hand. A page cannot be waiting in both: the driver must not take a page back before its inflation was acknowledged
 * ("Device Operation"). If a driver breaks that rule, or puts a page in again before its deflation was acknowledged, it
 * loses only the content of that page. {@link HostPages} has the rules for host pages that contain several guest pages.
 */
final class Inflation {
    private static final LongPredicate NONE = page -> false;

    private final PfnQueue inflateQueue;
    private final PfnQueue deflateQueue;
    private final @Nullable HostPages hostPages;

    /**
     * @param discarder null if nothing is to be discarded
     * @param leftAlone receives pages that are not in memory
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
     * @return true if chains are in hand that the next call continues
     * @throws DriverFault if a chain breaks a rule of the ring
     */
    boolean inflate(Virtqueue queue, boolean mustTellHost) {
        if (hostPages != null) {
            hostPages.mustTellHost(mustTellHost);
        }
        return inflateQueue.process(queue);
    }

    /**
     * Serves the deflate queue. A page in the balloon may be taken out even if its memory is no longer shared.
     *
     * @return true if chains are in hand that the next call continues
     * @throws DriverFault if a chain breaks a rule of the ring
     */
    boolean deflate(Virtqueue queue) {
        return deflateQueue.process(queue);
    }

    /** True while chains of the inflate queue were taken and not given back. */
    boolean hasInflateChains() {
        return inflateQueue.hasChains();
    }

    /** The position of the inflate queue without the chains in hand, as {@link Virtqueue#base}. */
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
        // Made once: a method reference at its use would allocate for each kick.
        private final PfnBatch.Run putIn;
        private final GuestMemory memory;
        /** The present batch is being discarded. */
        private boolean discarding;

        PutIn(BalloonedPages pages, @Nullable HostPages hostPages, GuestMemory memory) {
            this.hostPages = hostPages;
            this.memory = memory;
            this.putIn = pages::putIn;
        }

        @Override
        public void begin(PfnBatch batch) {
            // All pages first: parts of a larger host page may be in different runs.
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
