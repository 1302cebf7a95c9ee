package org.exomem.balloon;

import org.exomem.pages.PageFeed;
import org.exomem.pages.PageSet;
import org.exomem.pages.Pages;
import org.exomem.pages.StoredNumber;
import org.exomem.vhostuser.backend.StepBudget;
import org.exomem.vhostuser.virtqueue.DescriptorChain;
import org.exomem.vhostuser.virtqueue.DriverFault;
import org.exomem.vhostuser.virtqueue.Virtqueue;

/**
 * The free page queue and its command ids (VIRTIO, "Free Page Hinting"). The device asks by putting a command id into the
 * config space; the driver answers with a device-readable buffer that holds the id, then device-writable ones whose
 * ranges are hints, then a device-readable one that holds STOP (BAL-HINT-2). What comes under another id than the
 * current one is ignored (BAL-HINT-3), so a driver that is late, silent or wrong costs nothing.
 *
 * <p>Nothing is ever discarded or written for a hint (BAL-HINT-5, BAL-HINT-7): the guest may have used the page again, and
 * no device can know.
 */
final class Hinting {
    /** Config value: no more hints; the driver keeps the pages. */
    static final int STOP = 0;
    /** Config value: the driver may use the pages again. */
    static final int DONE = 1;
    /** The first command id, and the one after the last: far from the two reserved values (BAL-HINT-1). */
    static final int FIRST_ID = 0x8000_0000;

    /** Is told after each change of state. */
    interface Listener {
        void hintingChanged(HintingState state);
    }

    private static final long[] NOTHING = {};

    private final PageFeed feed;
    private final Listener listener;
    private final LeftAlone leftAlone;
    private final StepBudget budget;
    private final DescriptorChain chain = DescriptorChain.leavingUnsharedOut();
    /** What was hinted in this session. A driver may hint a page twice: it took it back in between. */
    private final PageSet hinted = new PageSet();

    private HintingState state;
    private final StoredNumber commandId;
    /** What the driver last sent: the id under which its ranges come. */
    private int driverId = STOP;

    /**
     * @param commandId the id of the last session, not set if there was none; it is never used a second time
     * @param leftAlone is told of ranges that the front-end does not share
     * @param budget of the steps in which {@link #process} is called
     */
    Hinting(PageFeed feed, Listener listener, StoredNumber commandId, LeftAlone leftAlone, StepBudget budget) {
        this.feed = feed;
        this.listener = listener;
        this.leftAlone = leftAlone;
        this.budget = budget;
        this.commandId = commandId;
        this.state = stateAfterAnother();
    }

    /** A driver may still hold the pages that it hinted to the device that it had before this one. */
    private HintingState stateAfterAnother() {
        return commandId.isSet() ? HintingState.DONE : HintingState.IDLE;
    }

    /** The id was replaced by that of another host, from which the VM has moved here. */
    void movedHere() {
        hinted.clear();
        enter(stateAfterAnother());
    }

    HintingState state() {
        return state;
    }

    /** The id of the current or last session; 0 before the first. */
    int commandId() {
        return commandId.get();
    }

    /** The bytes hinted in the current or last session, each page once. */
    long hintedBytes() {
        return Pages.bytes(hinted.count());
    }

    /** The pages of a GiB that the driver has hinted, and not got back; empty if there are none. */
    long[] told(int gib) {
        boolean keeps = state == HintingState.RUNNING || state == HintingState.STOPPED;
        return keeps ? hinted.copy(gib) : NOTHING;
    }

    /** What stands in config {@code free_page_hint_cmd_id} (BAL-HINT-6). */
    int configValue() {
        return switch (state) {
            case IDLE, STOPPED -> STOP;
            case REQUESTED, RUNNING -> commandId.get();
            case DONE -> DONE;
        };
    }

    /** Asks for hints under a new id (BAL-HINT-4); a session that is under way ends. */
    void start() {
        endSession();
        int last = commandId.get();
        commandId.set(last == -1 || last == 0 ? FIRST_ID : last + 1);
        hinted.clear();
        // BAL-HINT-9. Before the driver can know of the id: it may use a page again that it hinted under it at any time
        // after that.
        feed.offer(PageFeed.Kind.HINTING_STARTED, commandId.get(), 0, 0);
        enter(HintingState.REQUESTED);
    }

    /** Asks for no more hints; nothing happens if none were asked for. */
    void stop() {
        if (state == HintingState.REQUESTED || state == HintingState.RUNNING) {
            endSession();
            enter(HintingState.STOPPED);
        }
    }

    /** Lets the driver use the hinted pages again; nothing happens if it can do so already. */
    void finish() {
        if (state != HintingState.IDLE && state != HintingState.DONE) {
            endSession();
            enter(HintingState.DONE);
        }
    }

    /** The queue stops or the connection is lost: a session that runs ends, and the driver is to take its pages back. */
    void interrupt() {
        if (state == HintingState.RUNNING) {
            finish();
        }
    }

    /** A new run of the driver, which has not hinted anything. */
    void driverIsNew() {
        driverId = STOP;
        endSession();
        if (state != HintingState.IDLE) {
            enter(HintingState.IDLE);
        }
    }

    private void endSession() {
        if (state == HintingState.REQUESTED || state == HintingState.RUNNING) {
            feed.offer(PageFeed.Kind.HINTING_ENDED, commandId.get(), 0, 0);
        }
    }

    private void enter(HintingState next) {
        state = next;
        listener.hintingChanged(next);
    }

    /**
     * Takes and gives back what is available, or a part of it if that is very much. Ranges of which the front-end does not
     * share all are left alone as a whole (BAL-HINT-10).
     *
     * @throws DriverFault if what the driver sends to be read is not a command id of 4 bytes
     */
    void process(Virtqueue queue) {
        while (!budget.isSpent() && queue.pop(chain)) {
            leftAlone.pages(Pages.ceil(chain.unsharedBytes()));
            budget.spend((long) StepBudget.RUN * (1 + chain.buffers() + chain.unsharedBuffers()));
            long readable = chain.readableBytes();
            if (readable > 0) {
                if (readable != 4) {
                    throw new DriverFault("a command id of " + readable + " bytes in the free page queue; it has 4");
                }
                receive(chain.readInt(0));
            }
            if (state == HintingState.RUNNING && driverId == commandId.get()) {
                takeHints();
            }
            // BAL-HINT-8: nothing was written.
            queue.push(chain, 0);
        }
    }

    private void receive(int id) {
        driverId = id;
        if (id == STOP) {
            // A STOP that belongs to an earlier session comes before the driver has begun with this one.
            if (state == HintingState.RUNNING) {
                endSession();
                enter(HintingState.STOPPED);
            }
        } else if (id == commandId.get() && state == HintingState.REQUESTED) {
            enter(HintingState.RUNNING);
        }
    }

    private void takeHints() {
        for (int i = chain.readableBuffers(); i < chain.buffers(); i++) {
            long first = WholePages.first(chain.guestAddress(i));
            long pages = WholePages.count(chain.guestAddress(i), chain.length(i));
            if (pages > 0 && first + pages <= PageSet.LIMIT) {
                hinted.addAll(first, pages);
                budget.spend((long) StepBudget.WORD * (pages / Long.SIZE));
                feed.offer(PageFeed.Kind.HINTED, commandId.get(), Pages.bytes(first), Pages.bytes(pages));
            }
        }
    }
}
