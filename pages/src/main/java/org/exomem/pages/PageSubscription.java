package org.exomem.pages;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Set;
import org.exomem.pages.PageFeed.Kind;
import org.exomem.pages.PageFeed.Listener;

/**
 * The messages of a {@link PageFeed} for one listener: a bounded queue from the VM's event loop to the one thread that
 * drains it.
 *
 * <p>A full queue drops messages. A lost hint only costs savings. The loss of any other message could make the listener
 * believe that a page is still unused when it is not, so {@link #losses} counts these losses. A listener that sees this
 * count change must drop all its knowledge from this feed, and the messages that wait by then, as they may be older than the
 * lost one.
 */
public final class PageSubscription implements AutoCloseable {
    private static final int WORDS = 3;
    /** In the upper half of a message's first word, in place of its kind: HINTED for the pages of a mask. */
    private static final int HINTED_PAGES = 1 << 16;

    private static final VarHandle HEAD;
    private static final VarHandle TAIL;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            HEAD = lookup.findVarHandle(PageSubscription.class, "head", long.class);
            TAIL = lookup.findVarHandle(PageSubscription.class, "tail", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final int kinds;
    private final int mask;
    private final long[] records;
    private volatile boolean open = true;
    private volatile long hintsDropped;
    private volatile long losses;

    @SuppressWarnings("unused")
    private long head;

    @SuppressWarnings("unused")
    private long tail;

    PageSubscription(Set<Kind> kinds, int capacity) {
        if (Integer.bitCount(capacity) != 1) {
            throw new IllegalArgumentException("capacity " + capacity + " is not a power of two");
        }
        int wanted = 0;
        for (Kind kind : kinds) {
            wanted |= 1 << kind.ordinal();
        }
        this.kinds = wanted;
        this.mask = capacity - 1;
        this.records = new long[capacity * WORDS];
    }

    boolean isOpen() {
        return open;
    }

    /** Offers a change. */
    @SuppressWarnings("NonAtomicVolatileUpdate") // only the event loop writes the counts
    void offer(Kind kind, int session, long address, long length) {
        if (wants(kind) && !put(kind.ordinal(), session, address, length)) {
            if (kind.mayBeLost()) {
                hintsDropped++;
            } else {
                losses++;
            }
        }
    }

    /**
     * Offers a part of a state that is replayed. Its loss only costs savings, whatever its kind: the listener has no older
     * message that contradicts it.
     */
    @SuppressWarnings("NonAtomicVolatileUpdate") // only the event loop writes the counts
    void tell(Kind kind, int session, long address, long length) {
        if (wants(kind) && !put(kind.ordinal(), session, address, length)) {
            hintsDropped++;
        }
    }

    /** Offers {@link PageFeed#offerHinted}. */
    @SuppressWarnings("NonAtomicVolatileUpdate") // only the event loop writes the counts
    void offerHinted(int session, long first, long mask) {
        if (wants(Kind.HINTED) && !put(HINTED_PAGES, session, first, mask)) {
            hintsDropped++;
        }
    }

    private boolean wants(Kind kind) {
        return ((kinds >>> kind.ordinal()) & 1) != 0 && open;
    }

    /** Returns false if the queue is full. */
    private boolean put(int kind, int session, long address, long length) {
        long at = (long) TAIL.get(this);
        // Acquire: a slot that the listener has read may be written again.
        if (at - (long) HEAD.getAcquire(this) > mask) {
            return false;
        }
        int slot = (int) (at & mask) * WORDS;
        records[slot] = (long) kind << 32 | (session & 0xffffffffL);
        records[slot + 1] = address;
        records[slot + 2] = length;
        // Release: the message is visible before its announcement.
        TAIL.setRelease(this, at + 1);
        return true;
    }

    /**
     * Passes up to {@code limit} waiting messages to the listener, in order, and returns their number. For one thread at a
     * time. Never waits.
     */
    public int drain(Listener listener, int limit) {
        long at = (long) HEAD.get(this);
        // Acquire: pairs with the release in offer.
        long end = Math.min((long) TAIL.getAcquire(this), at + limit);
        int drained = (int) (end - at);
        for (; at < end; at++) {
            int slot = (int) (at & mask) * WORDS;
            int kind = (int) (records[slot] >>> 32);
            int session = (int) records[slot];
            if (kind == HINTED_PAGES) {
                hinted(listener, session, records[slot + 1], records[slot + 2]);
            } else {
                listener.pages(Kind.ALL[kind], session, records[slot + 1], records[slot + 2]);
            }
            HEAD.setRelease(this, at + 1);
        }
        return drained;
    }

    private static void hinted(Listener listener, int session, long first, long mask) {
        long left = mask;
        for (int page = 0; left != 0; ) {
            int skipped = Long.numberOfTrailingZeros(left);
            // A shift by 64 is one by 0, as all bits of the word can be one run.
            long rest = left >>> skipped;
            int run = Long.numberOfTrailingZeros(~rest);
            page += skipped;
            listener.pages(Kind.HINTED, session, Pages.bytes(first + page), Pages.bytes(run));
            left = run == Long.SIZE ? 0 : rest >>> run;
            page += run;
        }
    }

    /** Passes all messages that wait now to the listener, not those that arrive meanwhile; returns their number. */
    public int drain(Listener listener) {
        return drain(listener, mask + 1);
    }

    /** The number of dropped messages whose loss only costs savings. Any thread may call this. */
    public long hintsDropped() {
        return hintsDropped;
    }

    /**
     * The number of dropped messages that a listener can't do without: if it changes, the listener must drop its knowledge
     * (MIG-STATE-5). Any thread may call this.
     */
    public long losses() {
        return losses;
    }

    /** Ends the subscription. Any thread may call this. Waiting messages remain for a last {@link #drain}. */
    @Override
    public void close() {
        open = false;
    }
}
