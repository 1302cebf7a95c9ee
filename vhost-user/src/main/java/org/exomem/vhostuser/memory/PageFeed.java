package org.exomem.vhostuser.memory;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * What a VM's devices learn about guest pages, as messages to whoever listens: a bounded queue from the VM's event
 * loop (the only one that offers) to one listener's thread (the only one that drains). Offering never waits, locks or
 * allocates; while nobody listens it does nothing.
 *
 * <p>A full queue drops. A lost hint costs savings only. Losing anything else could make the listener believe that a
 * page is still unused when it isn't, so {@link #losses} counts those: a listener that sees the count change must
 * forget all that it knew of this feed.
 */
public final class PageFeed {
    /** What a message says of its range. */
    public enum Kind {
        /** The driver put the pages into the balloon. */
        INFLATED,
        /** The driver takes the pages out of the balloon. */
        DEFLATED,
        /** A hint session began; no range. */
        HINTING_STARTED,
        /** Free at some time since the session began; the guest may have used it again. */
        HINTED,
        /** The hint session ended: stopped, done, replaced, or its connection lost; no range. */
        HINTING_ENDED,
        /** The driver reported the pages free; their content is gone. */
        REPORTED,
        /** The device was reset, or lost its guest: what was in the balloon is so no more; no range. */
        RESET;

        private static final Kind[] ALL = values();

        boolean mayBeLost() {
            return this == HINTED || this == REPORTED || this == INFLATED;
        }
    }

    /** Receives messages, on the thread that drains. */
    @FunctionalInterface
    public interface Listener {
        /**
         * @param session the hint session's command id for the kinds of hinting, otherwise 0
         * @param address guest-physical address in bytes; 0 where the kind has no range
         * @param length bytes; 0 where the kind has no range
         */
        void pages(Kind kind, int session, long address, long length);
    }

    private static final int WORDS = 3;
    private static final VarHandle HEAD;
    private static final VarHandle TAIL;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            HEAD = lookup.findVarHandle(PageFeed.class, "head", long.class);
            TAIL = lookup.findVarHandle(PageFeed.class, "tail", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final int mask;
    private volatile long[] records = {};
    private volatile boolean open;
    private volatile long hintsDropped;
    private volatile long losses;

    @SuppressWarnings("unused")
    private long head;

    @SuppressWarnings("unused")
    private long tail;

    /**
     * @param capacity the most messages that wait, a power of two; memory (24 bytes each) is taken only when somebody
     *     listens
     */
    public PageFeed(int capacity) {
        if (Integer.bitCount(capacity) != 1) {
            throw new IllegalArgumentException("capacity " + capacity + " is not a power of two");
        }
        this.mask = capacity - 1;
    }

    /** Starts listening: from now on messages are kept. Called by the listener's thread. */
    public void open() {
        records = new long[(mask + 1) * WORDS];
        open = true;
    }

    /** Stops listening. Messages that wait are left for a last {@link #drain}. */
    public void close() {
        open = false;
    }

    /** Offers a message; called on the VM's event loop. */
    public void offer(Kind kind, int session, long address, long length) {
        if (!open) {
            return;
        }
        long at = (long) TAIL.get(this);
        // Acquire: a slot that the listener has read may be written again.
        if (at - (long) HEAD.getAcquire(this) > mask) {
            drop(kind);
            return;
        }
        long[] slots = records;
        int slot = (int) (at & mask) * WORDS;
        slots[slot] = (long) kind.ordinal() << 32 | session & 0xffffffffL;
        slots[slot + 1] = address;
        slots[slot + 2] = length;
        // Release: the message before its announcement.
        TAIL.setRelease(this, at + 1);
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // only the event loop writes the counts
    private void drop(Kind kind) {
        if (kind.mayBeLost()) {
            hintsDropped++;
        } else {
            losses++;
        }
    }

    /** Gives up to {@code limit} waiting messages to the listener, in order; returns how many there were. */
    public int drain(Listener listener, int limit) {
        long at = (long) HEAD.get(this);
        // Acquire: pairs with the release in offer.
        long end = Math.min((long) TAIL.getAcquire(this), at + limit);
        int drained = (int) (end - at);
        long[] slots = records;
        for (; at < end; at++) {
            int slot = (int) (at & mask) * WORDS;
            listener.pages(Kind.ALL[(int) (slots[slot] >>> 32)], (int) slots[slot], slots[slot + 1], slots[slot + 2]);
            HEAD.setRelease(this, at + 1);
        }
        return drained;
    }

    /** How many messages were dropped whose loss costs savings only. */
    public long hintsDropped() {
        return hintsDropped;
    }

    /** How many messages were dropped that a listener can't do without: if this changes, it must forget what it knew. */
    public long losses() {
        return losses;
    }
}
