package org.exomem.balloon;

import org.exomem.pages.PageFeed;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;
import org.exomem.pages.StateReplay;
import org.exomem.pages.StoredNumber;
import org.exomem.vhostuser.backend.DriverRun;

/**
 * The pages in the balloon, and whose they are.
 *
 * <p>A balloon belongs to one run of the driver: it begins empty when the guest boots or loads the driver, and pages that
 * were in it before are not in it any more. Front-ends do not tell this reliably (some never send a reset, some send one when the VM
 * is merely paused, and connections are lost and made again), but the rings do: a new run of the driver starts its
 * inflate queue at the initial position, and one that goes on starts it where it stopped. The rule that follows:
 *
 * <ul>
 *   <li>When the inflate queue stops, the feed is told to forget ({@code RESET}), because from now on the guest may
 *       reboot and use the pages unseen. The count stays.
 *   <li>At a device reset, or when the front-end goes, the pages are put aside: they count no more.
 *   <li>When the inflate queue starts where it stopped, the pages are taken up again and told to the feed again.
 *   <li>When it starts elsewhere, and no queue has run in between, the pages are forgotten. (Where other queues ran on,
 *       one queue was reset alone and the driver is the same.)
 * </ul>
 *
 * <p>STA-BAL-2: a process that takes over from one that was killed knows a position at which that one has been, and not how far it
 * came from there before it noted the next: a driver that goes on is at most one size of the queue farther. A new driver is
 * not there but at the initial position, since a queue does not move while no device serves it.
 *
 * <p>Where the rule can err, it forgets (STA-BAL-3): a queue that stopped after exactly a whole number of rounds stands at its
 * initial position. Pages that are forgotten by mistake cost the count and, on huge pages, savings. They never lead to a
 * discard: with small pages every page is discarded for being inflated and not for being in the set, and a huge page
 * needs all of its parts in the set.
 */
final class BalloonedPages {
    /**
     * Whose the pages are.
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
        /** The inflate queue runs: the pages are in the balloon of a driver that is there. */
        record Running() implements State {}

        /** The inflate queue has stopped and another queue runs on, so the driver is the same. */
        record Paused() implements State {}

        /** No queue runs; the next driver may be another one. The pages still count. */
        record Stopped() implements State {}

        /** The pages count no more until their driver goes on. */
        record PutAside(Server server) implements State {}
    }

    /** Who served the driver last whose pages were put aside. */
    private enum Server {
        /** This process, which knows where the inflate queue was. */
        THIS_PROCESS,
        /** A process before this one: the driver may have moved since it noted where. */
        PROCESS_BEFORE,
        /** A process on the host that the VM has moved from: the driver goes on here next, wherever it stands. */
        OTHER_HOST
    }

    /** Chunks of a GiB that are cleared in one step: some milliseconds' work if they are full of pages and kept. */
    private static final int CHUNKS_AT_ONCE = 64;

    private static final State RUNNING = new State.Running();
    private static final State PAUSED = new State.Paused();
    private static final State STOPPED = new State.Stopped();

    private final PageSet pages;
    /** Where the inflate queue was at last; not set while the pages in the set belong to no driver (STA-BAL-4). */
    private final StoredNumber position;

    private final PageFeed feed;
    private State state;
    /** The driver tells before it uses a page again (BAL-FEAT-2). A feature, whatever the state. */
    private boolean driverTells;
    /** The chunks of the set from this one on are to be cleared of pages that belong to no driver; beyond the last one if none is. */
    private int clearFrom = Integer.MAX_VALUE;
    /** Where the inflate queue is, to be noted when the set is clear. */
    private int waitingPosition;

    private boolean positionWaits;
    /** The inflate queue ended with chains in hand: its driver goes on before them, or behind them if they are in flight. */
    private boolean chainsLost;

    BalloonedPages(PageFeed feed, KeptBalloon kept) {
        this.feed = feed;
        this.pages = kept.pages;
        this.position = kept.position;
        if (position.isSet()) {
            state = new State.PutAside(Server.PROCESS_BEFORE);
        } else {
            // The process before this one ended while it forgot them.
            pages.clear();
            state = STOPPED;
        }
        feed.add(this::replay);
    }

    /** @param mustTellHost true if the driver has that feature: only then are pages in the balloon known to be unused */
    void featuresAcknowledged(boolean mustTellHost) {
        driverTells = mustTellHost;
    }

    /** A replay of the pages in the balloon; of none if the driver may use them again without a word (MIG-STATE). */
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

    /** The pages that the driver has put in and not taken out, of 4096 bytes. */
    long count() {
        return state instanceof State.PutAside || isClearing() ? 0 : pages.count();
    }

    /** The set itself, for looking into. */
    PageSet set() {
        return pages;
    }

    /** Puts pages in that are perhaps there already (BAL-INF-6). */
    void putIn(long firstPage, long length) {
        pages.addAll(firstPage, length);
        if (driverTells) {
            feed.offer(PageFeed.Kind.INFLATED, 0, Pages.bytes(firstPage), Pages.bytes(length));
        }
    }

    /** Takes pages out that are perhaps not there (BAL-INF-6). */
    void takeOut(long firstPage, long length) {
        pages.removeAll(firstPage, length);
        feed.offer(PageFeed.Kind.DEFLATED, 0, Pages.bytes(firstPage), Pages.bytes(length));
    }

    /** True while pages of another driver are in the set: neither queue may be served. */
    boolean isClearing() {
        return clearFrom < pages.chunks();
    }

    /** Goes on to forget the pages of another driver, for some milliseconds at the most (BAL-STEP-1). */
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
        // A process that finds a position takes the pages for those of the driver that was there.
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

    /** The last queue that ran has stopped. */
    void noQueueRuns() {
        if (state == PAUSED) {
            state = STOPPED;
        }
    }

    /** The device was reset, or the front-end has gone. */
    void putAside() {
        if (!(state instanceof State.PutAside)) {
            state = new State.PutAside(Server.THIS_PROCESS);
        }
        feed.offer(PageFeed.Kind.RESET, 0, 0, 0);
    }

    /** The set and the position were replaced by those of another host, from which the VM has moved here. */
    void movedHere() {
        state = new State.PutAside(Server.OTHER_HOST);
        clearFrom = Integer.MAX_VALUE;
        positionWaits = false;
    }

    /** Where the inflate queue was when that was last noted; 0 if it never was. */
    int position() {
        return position.get();
    }

    /**
     * How far a driver that goes on may be from {@link #position}.
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
     * The inflate queue starts. If its driver is another one, the pages are to be {@linkplain #clearSome forgotten} before a
     * queue is served.
     *
     * @param now the position of the inflate queue, as {@code Virtqueue.base()}
     * @param run what the queue tells of the driver whose pages these are
     * @return true if it is that driver
     */
    boolean inflateQueueStarted(int now, DriverRun run) {
        // A driver that moved here goes on, wherever its queue stands: the front-end loads its state before it starts.
        boolean moved = wasServedBy(Server.OTHER_HOST);
        boolean goesOn = position.isSet() && (run == DriverRun.GOES_ON || moved && run == DriverRun.UNKNOWN);
        boolean sameDriver = state == PAUSED || goesOn;
        state = RUNNING;
        chainsLost = false;
        if (sameDriver) {
            feed.replay(this::replay);
        } else {
            // In this order: a process that finds a position takes the pages for those of the driver that was there.
            position.forget();
            clearFrom = 0;
            clearSome();
        }
        inflateQueueMoved(now);
        return sameDriver;
    }
}
