package org.exomem.balloon;

import org.exomem.pages.PageFeed;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;
import org.exomem.pages.StateReplay;
import org.exomem.pages.StoredNumber;
import org.exomem.vhostuser.backend.DriverRun;

/**
 * The pages in the balloon, and the driver to which they belong. Used on the VM's event loop.
 *
 * <p>A balloon belongs to one run of the driver. It is empty when the guest boots or loads the driver; earlier pages are not
 * in it any more. Front-ends do not report this reliably: some never send a reset, some send one when the VM is only paused,
 * and connections are lost and made again. The rings are reliable: a new run of the driver starts its inflate queue at the
 * initial position, and a run that continues starts it where it stopped. This gives the rule:
 *
 * <ul>
 *   <li>When the inflate queue stops, the feed receives {@code RESET}, because from now on the guest may reboot and use the
 *       pages unseen. The count stays.
 *   <li>At a device reset, or when the front-end leaves, the pages are put aside: they are not counted.
 *   <li>When the inflate queue starts where it stopped, the pages count again and are sent to the feed again.
 *   <li>When it starts elsewhere, and no queue has run in between, the pages are forgotten. (If other queues continued to
 *       run, only this queue was reset, and the driver is the same.)
 * </ul>
 *
 * <p>STA-BAL-2: a process that takes over from a killed one knows the last position noted, and not how far the queue moved
 * after that. A driver that continues is at most one queue size farther. A new driver is at the initial position instead,
 * because a queue does not move while no device serves it.
 *
 * <p>Where the rule can err, it forgets (STA-BAL-3): a queue that stopped after a whole number of rounds is at its initial
 * position. Pages forgotten by mistake make the count wrong and, on huge pages, reduce savings. They never lead to a
 * discard: a small page is discarded when it is inflated, not because it is in the set, and a huge page needs all of its
 * parts in the set.
 */
final class BalloonedPages {
    /**
     * The driver to which the pages belong.
     *
     * <pre>
     *            inflate queue starts              it stops               no queue runs any more
     *  STOPPED ----------------------> RUNNING ------------------> PAUSED -----------------------> STOPPED
     *  PUT ASIDE --------------------> RUNNING <------------------ PAUSED
     *
     *  any ---- the device is reset, the front-end goes, or the VM has moved here ----> PUT ASIDE
     * </pre>
     */
    private sealed interface State {
        /** The inflate queue runs: the pages are in the balloon of a driver that is present. */
        record Running() implements State {}

        /** The inflate queue has stopped and another queue still runs, so the driver is the same. */
        record Paused() implements State {}

        /** No queue runs; the next driver may be another one. The pages still count. */
        record Stopped() implements State {}

        /** The pages do not count until their driver continues. */
        record PutAside(Server server) implements State {}
    }

    /** Which process last served the driver whose pages were put aside. */
    private enum Server {
        /** This process. It knows where the inflate queue was. */
        THIS_PROCESS,
        /** A process before this one. The driver may have moved after the last position noted. */
        PROCESS_BEFORE,
        /** A process on the host that the VM has moved from. Its driver continues here, wherever its queue is. */
        OTHER_HOST
    }

    /**
     * Chunks of a GiB that are cleared in one step: some milliseconds' work if they are full of pages and kept in a file.
     */
    private static final int CHUNKS_AT_ONCE = 64;

    private static final State RUNNING = new State.Running();
    private static final State PAUSED = new State.Paused();
    private static final State STOPPED = new State.Stopped();

    private final PageSet pages;
    /** The last position of the inflate queue; not set while the pages in the set belong to no driver (STA-BAL-4). */
    private final StoredNumber position;

    private final PageFeed feed;
    private State state;
    /**
     * The driver tells the device before it uses a page again (BAL-FEAT-2). A negotiated feature, independent of the state.
     */
    private boolean driverTells;
    /**
     * The chunks of the set from this one on are still to be cleared of pages that belong to no driver; beyond the last
     * chunk if none is.
     */
    private int clearFrom = Integer.MAX_VALUE;
    /** The position of the inflate queue to note when the set is clear. */
    private int waitingPosition;

    private boolean positionWaits;
    /**
     * The inflate queue ended with chains in hand. Its driver continues before them, or behind them if they are in flight.
     */
    private boolean chainsLost;

    BalloonedPages(PageFeed feed, KeptBalloon kept) {
        this.feed = feed;
        this.pages = kept.pages;
        this.position = kept.position;
        if (position.isSet()) {
            state = new State.PutAside(Server.PROCESS_BEFORE);
        } else {
            // The process before this one ended while it forgot the pages.
            pages.clear();
            state = STOPPED;
        }
        feed.add(this::replay);
    }

    /** @param mustTellHost true if the driver has that feature; only then are pages in the balloon known to be unused */
    void featuresAcknowledged(boolean mustTellHost) {
        driverTells = mustTellHost;
    }

    /**
     * A replay of the pages in the balloon; of none if the driver may use them again without telling the device (MIG-STATE).
     */
    private StateReplay replay() {
        return new StateReplay() {
            private long from;

            @Override
            public boolean next(PageFeed.Listener listener) {
                long all = driverTells && state == RUNNING && !isClearing() ? pages.end() : 0;
                long end = Math.min(all, from + PAGES_AT_ONCE);
                for (int told = 0; from < end && told < MESSAGES_AT_ONCE; told++) {
                    long first = pages.next(from, end, true);
                    from = pages.next(first, end, false);
                    if (first < end) {
                        listener.pages(PageFeed.Kind.INFLATED, 0, Pages.bytes(first), Pages.bytes(from - first));
                    }
                }
                return from < all;
            }
        };
    }

    /** The number of 4096-byte pages that the driver has put in and not taken out. */
    long count() {
        return state instanceof State.PutAside || isClearing() ? 0 : pages.count();
    }

    /** The set itself, for reading. */
    PageSet set() {
        return pages;
    }

    /** Puts pages in; they may be there already (BAL-INF-6). */
    void putIn(long firstPage, long length) {
        pages.addAll(firstPage, length);
        if (driverTells) {
            feed.offer(PageFeed.Kind.INFLATED, 0, Pages.bytes(firstPage), Pages.bytes(length));
        }
    }

    /** Takes pages out; they may not be there (BAL-INF-6). */
    void takeOut(long firstPage, long length) {
        pages.removeAll(firstPage, length);
        feed.offer(PageFeed.Kind.DEFLATED, 0, Pages.bytes(firstPage), Pages.bytes(length));
    }

    /** True while pages of another driver are in the set. Then neither queue may be served. */
    boolean isClearing() {
        return clearFrom < pages.chunks();
    }

    /** Continues to forget the pages of another driver, for some milliseconds at most (BAL-STEP-1). */
    void clearSome() {
        for (int i = 0; i < CHUNKS_AT_ONCE && isClearing(); i++) {
            pages.clear(clearFrom);
            clearFrom++;
        }
        if (!isClearing()) {
            clearFrom = Integer.MAX_VALUE;
            noteWaitingPosition();
        }
    }

    private void noteWaitingPosition() {
        if (positionWaits) {
            positionWaits = false;
            position.set(waitingPosition);
        }
    }

    /** @param now the position of the inflate queue without chains in hand, as {@code Virtqueue.base()} */
    void inflateQueueMoved(int now) {
        // A process that finds a position takes the pages for those of the driver at that position.
        if (isClearing()) {
            positionWaits = true;
            waitingPosition = now;
            return;
        }
        if (position.get() != now || !position.isSet()) {
            position.set(now);
        }
    }

    /**
     * @param now the position of the inflate queue without chains in hand, as {@code Virtqueue.base()}
     * @param lost true if chains were in hand that have not become available again
     */
    void inflateQueueStopped(int now, boolean lost) {
        inflateQueueMoved(now);
        chainsLost = lost;
        state = PAUSED;
        feed.offer(PageFeed.Kind.RESET, 0, 0, 0);
    }

    /** The last running queue has stopped. */
    void noQueueRuns() {
        if (state == PAUSED) {
            state = STOPPED;
        }
    }

    /** The device was reset, or the front-end has left. */
    void putAside() {
        if (!(state instanceof State.PutAside)) {
            state = new State.PutAside(Server.THIS_PROCESS);
        }
        feed.offer(PageFeed.Kind.RESET, 0, 0, 0);
    }

    /** The set and the position were replaced by those of the host from which the VM has moved. */
    void movedHere() {
        state = new State.PutAside(Server.OTHER_HOST);
        clearFrom = Integer.MAX_VALUE;
        positionWaits = false;
    }

    /** The last noted position of the inflate queue; 0 if none was noted. */
    int position() {
        return position.get();
    }

    /**
     * How far a driver that continues may be from {@link #position}.
     *
     * @param size the inflate queue's size
     */
    int unnotedMoves(int size) {
        return chainsLost || wasServedBy(Server.PROCESS_BEFORE) ? size : 0;
    }

    private boolean wasServedBy(Server server) {
        return state instanceof State.PutAside aside && aside.server() == server;
    }

    /**
     * The inflate queue starts. If its driver is another one, the pages must be {@linkplain #clearSome forgotten} before a
     * queue is served.
     *
     * @param now the position of the inflate queue, as {@code Virtqueue.base()}
     * @param run what the queue shows about the driver that owns these pages
     * @return true if it is the same driver
     */
    boolean inflateQueueStarted(int now, DriverRun run) {
        // A driver that moved here continues, wherever its queue is: the front-end loads its state before it starts.
        boolean moved = wasServedBy(Server.OTHER_HOST);
        boolean goesOn = position.isSet() && (run == DriverRun.GOES_ON || moved && run == DriverRun.UNKNOWN);
        boolean sameDriver = state == PAUSED || goesOn;
        state = RUNNING;
        chainsLost = false;
        if (sameDriver) {
            feed.replay(this::replay);
        } else {
            // In this order: a process that finds a position takes the pages for those of the driver at that position.
            position.forget();
            clearFrom = 0;
            clearSome();
        }
        inflateQueueMoved(now);
        return sameDriver;
    }
}
