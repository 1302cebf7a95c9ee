package org.exomem.pages;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.function.Supplier;

/**
 * What a VM's devices learn about guest pages, as messages to listeners: the migration engine, a command that prints them, a
 * VMM that has subscribed. Used on the VM's event loop: devices offer messages and listeners are added there. Each listener
 * drains its own {@link PageSubscription} on a thread of its own. Offering never waits, locks or allocates, and does nothing
 * without listeners.
 *
 * <p>A device whose state outlives its messages (a balloon, plugged blocks) gives each new listener a {@link StateReplay}:
 * the listener gets that state as ordinary messages.
 */
public final class PageFeed {
    /** The kinds of messages. */
    public enum Kind {
        /** The driver put the pages into the balloon. */
        INFLATED,
        /** The driver takes the pages out of the balloon, and does not use them before the device has answered. */
        DEFLATED,
        /**
         * A hint session begins: the device is about to issue its command id, or a request for a free page bitmap, so that
         * the driver does not know of it yet. No range. (A driver may use a hinted page again before the device has seen the
         * hint, so nothing later can be the beginning; VIRTIO, "Free Page Hinting"; FPB-BIT-4.)
         */
        HINTING_STARTED,
        /** The driver reports that the pages were free at some time since the session began. It may have used them again. */
        HINTED,
        /** The hint session ended: stopped, done, replaced, or its connection lost; no range. */
        HINTING_ENDED,
        /** The driver reported the pages as free. Their content is gone. */
        REPORTED,
        /** The balloon was reset, or lost its guest, and is empty now; no range. */
        RESET,
        /** The guest does not have these blocks of a memory device any more, and their content is gone. */
        UNPLUGGED,
        /** The guest gets these blocks of a memory device. It does not use them before the device has answered. */
        PLUGGED;

        static final Kind[] ALL = values();

        /** True if the loss of such a message only costs a listener savings. */
        boolean mayBeLost() {
            return this == HINTED || this == REPORTED || this == INFLATED || this == UNPLUGGED;
        }
    }

    /** Receives messages, on the thread that drains. */
    @FunctionalInterface
    public interface Listener {
        /**
         * @param session for the kinds of hinting the command id or the bitmap request's id, otherwise 0
         * @param address guest-physical address in bytes; 0 where the kind has no range
         * @param length bytes; 0 where the kind has no range
         */
        void pages(Kind kind, int session, long address, long length);
    }

    private static final PageSubscription[] NONE = {};

    private final Executor later;
    private final List<Supplier<StateReplay>> states = new ArrayList<>();
    private PageSubscription[] subscriptions = NONE;
    private int count;
    /** How often states were removed. */
    private int forgotten;

    /** A feed that sends a new listener the whole state at once, however large it is. */
    public PageFeed() {
        this(Runnable::run);
    }

    /** @param later runs a task on the VM's event loop, after the tasks that wait there: the next slice of a replay */
    public PageFeed(Executor later) {
        this.later = later;
    }

    /**
     * Adds a device whose state new listeners get.
     *
     * @param state begins a replay of that state
     */
    public void add(Supplier<StateReplay> state) {
        states.add(state);
    }

    /** The states that new listeners get; used to see which of them a device has added. */
    public List<Supplier<StateReplay>> states() {
        return List.copyOf(states);
    }

    /**
     * Removes the states of a device that is no longer served. Ends all replays under way, even of other devices: that only
     * costs savings. On the VM's event loop.
     */
    public void forget(Collection<Supplier<StateReplay>> gone) {
        states.removeAll(gone);
        forgotten++;
    }

    /**
     * Adds a listener. It gets the present state, and all later changes. The first slice of each device's state waits for
     * the listener when this returns. The others follow on the VM's event loop. On the VM's event loop.
     *
     * @param kinds the wanted kinds of messages
     * @param capacity the most messages that wait, a power of two; they take 24 bytes each
     * @throws IllegalArgumentException if the capacity is not a power of two
     */
    public PageSubscription subscribe(Set<Kind> kinds, int capacity) {
        PageSubscription added = new PageSubscription(kinds, capacity);
        for (Supplier<StateReplay> state : states) {
            replay(state.get(), added);
        }
        prune();
        subscriptions = Arrays.copyOf(subscriptions, count + 1);
        subscriptions[count++] = added;
        return added;
    }

    /** Sends all listeners a state that is new to them. On the VM's event loop. */
    public void replay(Supplier<StateReplay> state) {
        for (int i = 0; i < count; i++) {
            replay(state.get(), subscriptions[i]);
        }
    }

    private void replay(StateReplay state, PageSubscription to) {
        if (to.isOpen() && state.next(to::tell)) {
            int before = forgotten;
            later.execute(() -> {
                // The device may have been removed, and with it what the replay reads.
                if (forgotten == before) {
                    replay(state, to);
                }
            });
        }
    }

    /**
     * Offers a message to all listeners. On the VM's event loop.
     *
     * @param session the hint session's command id for the kinds of hinting, otherwise 0
     * @param address guest-physical address in bytes; 0 for a kind without a range
     * @param length bytes; 0 for a kind without a range
     */
    public void offer(Kind kind, int session, long address, long length) {
        for (int i = 0; i < count; i++) {
            subscriptions[i].offer(kind, session, address, length);
        }
    }

    /**
     * Offers {@link Kind#HINTED} for any of 64 consecutive pages as one message. On the VM's event loop.
     *
     * @param session the command id or the bitmap request's id
     * @param first the number of the first of the 64 pages, a multiple of 64
     * @param mask bit n is set if page {@code first + n} is hinted
     */
    public void offerHinted(int session, long first, long mask) {
        for (int i = 0; i < count; i++) {
            subscriptions[i].offerHinted(session, first, mask);
        }
    }

    /** Removes closed listeners. Between the additions of listeners, a closed one costs a check for each message. */
    private void prune() {
        int kept = 0;
        for (int i = 0; i < count; i++) {
            if (subscriptions[i].isOpen()) {
                subscriptions[kept++] = subscriptions[i];
            }
        }
        count = kept;
    }
}
