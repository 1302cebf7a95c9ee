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
 * config space. The driver answers with a device-readable buffer that holds the id, then device-writable ones whose ranges
 * are hints, then a device-readable one that holds STOP (BAL-HINT-2). Hints under another id than the present one are
 * ignored (BAL-HINT-3), so a late, silent or faulty driver has no effect. Used on the VM's event loop.
 *
 * <p>Nothing is ever discarded or written because of a hint (BAL-HINT-5, BAL-HINT-7): the guest may have used the page
 * again, and no device can know.
 */
final class Hinting {
    /** Config value: no more hints; the driver keeps the pages. */
    static final int STOP = 0;
    /** Config value: the driver may use the pages again. */
    static final int DONE = 1;
    /** The first command id, and the one after the last: far from the two reserved values (BAL-HINT-1). */
    static final int FIRST_ID = 0x8000_0000;

    /** Called after each change of state. */
    interface Listener {
        void hintingChanged(HintingState state);
    }

    private static final long[] NOTHING = {};

    private final PageFeed feed;
    private final Listener listener;
    private final LeftAlone leftAlone;
    private final StepBudget budget;
    private final DescriptorChain chain = DescriptorChain.leavingUnsharedOut();
    /** The pages hinted in this session. A driver may hint a page twice, if it took it back in between. */
    private final PageSet hinted = new PageSet();

    private HintingState state;
    private final StoredNumber commandId;
    /** The last id that the driver sent; its ranges belong to it. */
    private int driverId = STOP;

    /**
     * @param commandId the id of the last session, not set if there was none; it is never used a second time
     * @param leftAlone receives ranges that the front-end does not share
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

    /** True if a driver may still hold pages that it hinted to the device before this one. */
    private HintingState stateAfterAnother() {
        return commandId.isSet() ? HintingState.DONE : HintingState.IDLE;
    }

    /** The id was replaced by that of the host from which the VM has moved. */
    void movedHere() {
        hinted.clear();
        enter(stateAfterAnother());
    }

    HintingState state() {
        return state;
    }

    /** The id of the present or last session; 0 before the first. */
    int commandId() {
        return commandId.get();
    }

    /** The bytes hinted in the present or last session, each page counted once. */
    long hintedBytes() {
        return Pages.bytes(hinted.count());
    }

    /** The pages of a GiB that the driver has hinted and not taken back; empty if there are none. */
    long[] told(int gib) {
        boolean keeps = state == HintingState.RUNNING || state == HintingState.STOPPED;
        return keeps ? hinted.copy(gib) : NOTHING;
    }

    /** The value of config {@code free_page_hint_cmd_id} (BAL-HINT-6). */
    int configValue() {
        return switch (state) {
            case IDLE, STOPPED -> STOP;
            case REQUESTED, RUNNING -> commandId.get();
            case DONE -> DONE;
        };
    }

    /** Asks for hints under a new id (BAL-HINT-4); a session under way ends. */
    void start() {
        endSession();
        int last = commandId.get();
        commandId.set(last == -1 || last == 0 ? FIRST_ID : last + 1);
        hinted.clear();
        // BAL-HINT-9. This comes before the driver can know of the id: it may use a page that it hinted again at any
        // time after that.
        feed.offer(PageFeed.Kind.HINTING_STARTED, commandId.get(), 0, 0);
        enter(HintingState.REQUESTED);
    }

    /** Asks for no more hints. Does nothing unless hints were requested. */
    void stop() {
        if (state == HintingState.REQUESTED || state == HintingState.RUNNING) {
            endSession();
            enter(HintingState.STOPPED);
        }
    }

    /** Lets the driver use the hinted pages again. Does nothing if it already can. */
    void finish() {
        if (state != HintingState.IDLE && state != HintingState.DONE) {
            endSession();
            enter(HintingState.DONE);
        }
    }

    /** The queue stops or the connection is lost. A running session ends, and the driver may take its pages back. */
    void interrupt() {
        if (state == HintingState.RUNNING) {
            finish();
        }
    }

    /** A new run of the driver has begun; it has hinted nothing. */
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
     * Takes and gives back available chains; only some of them if there are very many. A range of which the front-end does
     * not share every byte is left alone as a whole (BAL-HINT-10).
     *
     * @throws DriverFault if device-readable data of the driver is not a command id of 4 bytes
     */
    void process(Virtqueue queue) {
        while (!budget.isSpent() && queue.pop(chain)) {
            leftAlone.pages(Pages.ceil(chain.unsharedBytes()));
            budget.spend((long) StepBudget.RUN * (1 + chain.buffers() + chain.unsharedBuffers()));
            long readable = chain.readableBytes();
            if (readable > 0) {
                if (readable != 4) {
                    throw new DriverFault(
                            "a command id of " + readable + " bytes in the free page queue; it must have 4");
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
            // A STOP of an earlier session may arrive before the driver has begun this one.
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
