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
 * <p>A balloon belongs to one run of the driver: it begins empty when the guest boots or loads the driver, and what was
 * in it before is so no more. Front-ends do not tell this reliably (some never send a reset, some send one when the VM
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
 * <p>A process that takes over from one that was killed knows a position at which that one has been, and not how far it
 * came from there before it noted the next: a driver that goes on is at most one size of the queue farther. A new driver is
 * not there but at the initial position, since a queue does not move while no device serves it.
 *
 * <p>Where the rule can err, it forgets: a queue that stopped after exactly a whole number of rounds stands at its
 * initial position. Pages that are forgotten by mistake cost the count and, on huge pages, savings. They never lead to a
 * discard: with small pages every page is discarded for being inflated and not for being in the set, and a huge page
 * needs all of its parts in the set.
 */
final class BalloonedPages {
    private final PageSet pages;
    /** Where the inflate queue was at last; not set while the pages in the set are nobody's. */
    private final StoredNumber position;

    private final PageFeed feed;
    private boolean aside;
    /** The inflate queue runs: the pages are in the balloon of a driver that is there. */
    private boolean inUse;
    /** The driver tells before it uses a page again. */
    private boolean driverTells;
    /** The pages are those of a driver that another process served. */
    private boolean takenOver;
    /** The pages are those of a driver that goes on here next, wherever it stands. */
    private boolean moved;
    /** No queue has run, or there was a reset, since the inflate queue stopped. */
    private boolean driverMayBeNew = true;

    BalloonedPages(PageFeed feed, KeptBalloon kept) {
        this.feed = feed;
        this.pages = kept.pages;
        this.position = kept.position;
        this.takenOver = position.isSet();
        this.aside = takenOver;
        if (!takenOver) {
            // The process before this one ended while it forgot them.
            pages.clear();
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
                long all = driverTells && inUse ? pages.end() : 0;
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
        return aside ? 0 : pages.count();
    }

    /** The set itself, for looking into. */
    PageSet set() {
        return pages;
    }

    void putIn(long firstPage, long length) {
        pages.addAll(firstPage, length);
        if (driverTells) {
            feed.offer(PageFeed.Kind.INFLATED, 0, Pages.bytes(firstPage), Pages.bytes(length));
        }
    }

    void takeOut(long firstPage, long length) {
        pages.removeAll(firstPage, length);
        feed.offer(PageFeed.Kind.DEFLATED, 0, Pages.bytes(firstPage), Pages.bytes(length));
    }

    /** @param now the position of the inflate queue, as {@code Virtqueue.base()} */
    void inflateQueueMoved(int now) {
        if (position.get() != now || !position.isSet()) {
            position.set(now);
        }
    }

    /** @param now the position of the inflate queue, as {@code Virtqueue.base()} */
    void inflateQueueStopped(int now) {
        inflateQueueMoved(now);
        driverMayBeNew = false;
        inUse = false;
        feed.offer(PageFeed.Kind.RESET, 0, 0, 0);
    }

    void noQueueRuns() {
        driverMayBeNew = true;
    }

    /** The device was reset, or the front-end has gone. */
    void putAside() {
        aside = true;
        inUse = false;
        driverMayBeNew = true;
        feed.offer(PageFeed.Kind.RESET, 0, 0, 0);
    }

    /** The set and the position were replaced by those of another host, from which the VM has moved here. */
    void movedHere() {
        aside = true;
        driverMayBeNew = true;
        takenOver = false;
        moved = true;
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
        return takenOver ? size : 0;
    }

    /**
     * @param now the position of the inflate queue, as {@code Virtqueue.base()}
     * @param run what the queue tells of the driver whose pages these are
     * @return true if it is that driver
     */
    boolean inflateQueueStarted(int now, DriverRun run) {
        // A driver that moved here goes on, wherever its queue stands: the front-end loads its state before it starts.
        boolean goesOn = position.isSet() && (run == DriverRun.GOES_ON || moved && run == DriverRun.UNKNOWN);
        boolean sameDriver = !driverMayBeNew || goesOn;
        aside = false;
        driverMayBeNew = false;
        takenOver = false;
        moved = false;
        inUse = true;
        if (sameDriver) {
            feed.replay(this::replay);
        } else {
            // In this order: whoever finds a position must not find another driver's pages.
            position.forget();
            pages.clear();
        }
        inflateQueueMoved(now);
        return sameDriver;
    }
}
