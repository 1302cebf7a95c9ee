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
 * VMM that has subscribed. Belongs to the VM's event loop: there devices offer messages and listeners are added. Each listener
 * drains its own {@link PageSubscription} on a thread of its own. Offering never waits, locks or allocates, and does nothing
 * while nobody listens.
 *
 * <p>A device whose state outlives its messages (a balloon, plugged blocks) gives each new listener a {@link StateReplay}: the
 * listener is told that state as messages like any other.
 */
public final class PageFeed {
    /** What a message says of its range. */
    public enum Kind {
        /** The driver put the pages into the balloon. */
        INFLATED,
        /** The driver takes the pages out of the balloon, and does not use them before the device has answered. */
        DEFLATED,
        /**
         * A hint session begins: the device is about to issue its command id, or a request for a free page bitmap, so the driver
         * does not know of it yet. No range. (A driver may use a hinted page again before the device has even seen the hint, so
         * nothing later can be the beginning; VIRTIO, "Free Page Hinting"; FPB-BIT-4.)
         */
        HINTING_STARTED,
        /** The driver says that the pages were free at some time since the session began; it may have used them again. */
        HINTED,
        /** The hint session ended: stopped, done, replaced, or its connection lost; no range. */
        HINTING_ENDED,
        /** The driver reported the pages free; their content is gone. */
        REPORTED,
        /** The balloon was reset, or lost its guest, and is empty now; no range. */
        RESET,
        /** The blocks of a memory device are no longer the guest's, and their content is gone. */
        UNPLUGGED,
        /** The blocks of a memory device become the guest's, which does not use them before the device has answered. */
        PLUGGED;

        static final Kind[] ALL = values();

        /** True if losing such a message costs a listener savings only. */
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
    /** How often states were forgotten. */
    private int forgotten;

    /** A feed that tells a new listener the whole state at once, however large it is. */
    public PageFeed() {
        this(Runnable::run);
    }

    /** @param later runs a task on the VM's event loop, after what waits there now: the next slice of a replay */
    public PageFeed(Executor later) {
        this.later = later;
    }

    /**
     * Adds a device whose state new listeners are to be told.
     *
     * @param state begins a replay of that state, from its beginning
     */
    public void add(Supplier<StateReplay> state) {
        states.add(state);
    }

    /** The devices' states that new listeners are told; to see which of them one device has added. */
    public List<Supplier<StateReplay>> states() {
        return List.copyOf(states);
    }

    /**
     * Forgets states of a device that is served no more. Replays under way end, of other devices too: that costs savings only.
     * Called on the VM's event loop.
     */
    public void forget(Collection<Supplier<StateReplay>> gone) {
        states.removeAll(gone);
        forgotten++;
    }

    /**
     * Adds a listener. It is told what is so now, and what changes from now on. The first slice of each device's state waits
     * for the listener when this returns, the others follow on the VM's event loop. Called there.
     *
     * @param kinds what it wants to hear of
     * @param capacity the most messages that wait for it, a power of two; they take 24 bytes each
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

    /** Tells all who listen a state of which they could not know before. Called on the VM's event loop. */
    public void replay(Supplier<StateReplay> state) {
        for (int i = 0; i < count; i++) {
            replay(state.get(), subscriptions[i]);
        }
    }

    private void replay(StateReplay state, PageSubscription to) {
        if (to.isOpen() && state.next(to::tell)) {
            int before = forgotten;
            later.execute(() -> {
                // The device may be gone, and with it what the replay reads.
                if (forgotten == before) {
                    replay(state, to);
                }
            });
        }
    }

    /**
     * Offers a message to all who listen. Called on the VM's event loop.
     *
     * @param session the hint session's command id for the kinds of hinting, otherwise 0
     * @param address guest-physical address in bytes; 0 where the kind has no range
     * @param length bytes; 0 where the kind has no range
     */
    public void offer(Kind kind, int session, long address, long length) {
        for (int i = 0; i < count; i++) {
            subscriptions[i].offer(kind, session, address, length);
        }
    }

    /**
     * Offers {@link Kind#HINTED} for single pages among 64 neighbours: one message, whatever their runs are. Called on the VM's event
     * loop.
     *
     * @param session the command id or the bitmap request's id
     * @param first the number of the first of the 64 pages, a multiple of 64
     * @param mask bit n is set for page {@code first + n} that is hinted
     */
    public void offerHinted(int session, long first, long mask) {
        for (int i = 0; i < count; i++) {
            subscriptions[i].offerHinted(session, first, mask);
        }
    }

    /** Forgets listeners that have closed; until the next one comes, they cost a look at each message. */
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
