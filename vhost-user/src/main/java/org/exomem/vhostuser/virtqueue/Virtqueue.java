package org.exomem.vhostuser.virtqueue;

import org.exomem.vhostuser.memory.PagesLate;

/**
 * A virtqueue from the device's side. Belongs to the event loop of its VM. None of the methods that a device calls
 * allocates, locks or waits.
 *
 * <p>A device pops chains until there is none, reads and writes their buffers, and pushes each back exactly once, when
 * it likes (in the order of popping where IN_ORDER was negotiated). The session that owns the queue does the rest:
 * suppressing kicks while the device works, calling the driver if it asked for it.
 */
public abstract sealed class Virtqueue permits SplitVirtqueue, PackedVirtqueue {
    /** The largest length that a used entry can tell; 1 less than a chain may have. */
    static final long MAX_WRITTEN = 0xffff_ffffL;

    final ChainsInHand inHand;
    private final int index;
    private final int size;
    private final long features;
    private int allowance = Integer.MAX_VALUE;
    private boolean late;

    Virtqueue(VirtqueueSetup setup) {
        index = setup.index();
        size = setup.size();
        features = setup.features();
        inHand = new ChainsInHand(size, setup.has(RingFeatures.IN_ORDER));
    }

    /**
     * Starts a queue, packed or split by its features. Where the in-flight region shows chains that an earlier back-end
     * popped and didn't push, {@link #pop} gives those first, and the region's positions count instead of the base's.
     *
     * @throws IllegalArgumentException if base or in-flight region make no sense: the front-end's fault
     * @throws DriverFault if the ring's memory does not fit the base or the in-flight region
     */
    public static Virtqueue create(VirtqueueSetup setup) {
        return RingLayout.isPacked(setup.features()) ? new PackedVirtqueue(setup) : new SplitVirtqueue(setup);
    }

    /** The queue's index in its device. */
    public final int index() {
        return index;
    }

    /** The number of descriptors, 1 to 32768; a power of two for a split queue. */
    public final int size() {
        return size;
    }

    /**
     * Takes the next available chain. All of its buffers that a device may touch are here then, and stay here (VHU-PST-2).
     *
     * @param chain filled with the chain's buffers; its earlier content is overwritten
     * @return false if nothing is available, no more is allowed now, or the queue {@linkplain #isLate waits for pages}
     * @throws DriverFault if the driver broke a rule; nothing has been taken
     * @throws IllegalStateException if {@code chain} holds a chain of this queue that was not pushed
     */
    public final boolean pop(DescriptorChain chain) {
        if (late || allowance <= 0) {
            return false;
        }
        try {
            if (!popNext(chain)) {
                return false;
            }
        } catch (PagesLate e) {
            late = true;
            return false;
        }
        allowance -= chain.buffers() + chain.unsharedBuffers();
        return true;
    }

    /** @throws PagesLate if a page is missing that has to be read, or that the device may touch; nothing has been taken */
    abstract boolean popNext(DescriptorChain chain);

    /** True if {@link #pop} found that pages of the next chain have not come yet, which were asked for; it gives nothing until then. */
    public final boolean isLate() {
        return late;
    }

    /** Pages have come: {@link #pop} tries anew. */
    public final void pagesCame() {
        late = false;
    }

    /**
     * Allows chains to be popped until they have so many buffers, the last one as many as it likes; without a limit until
     * this is first called. A session sets it before each pass, so that a driver that makes buffers available without
     * pause, or very many in tables, can't keep the event loop from everything else.
     */
    public final void allow(int buffers) {
        allowance = buffers;
    }

    /**
     * Gives a chain back to the driver as used; visible to it at once.
     *
     * @param chain a chain that {@link #pop} filled
     * @param written bytes written into its device-writable part, from its start on (VQ-SPL-8)
     * @throws IllegalArgumentException if more bytes were written than the chain has for writing
     * @throws IllegalStateException if this queue did not pop the chain, if it was pushed already, or if its turn has
     *     not come (IN_ORDER)
     */
    public abstract void push(DescriptorChain chain, long written);

    /**
     * Undoes a pop: the chain is available again, and the next {@link #pop} gives it, here or where the queue starts again
     * from {@link #base}. For a device that is stopped while it has a chain in hand.
     *
     * @param chain the chain that was popped last of those that are neither pushed nor given up; nothing may have been pushed that was
     *     popped after it
     * @throws IllegalStateException if this queue did not pop the chain, if it was pushed, or (IN_ORDER) if it is not the
     *     last one
     */
    public abstract void unpop(DescriptorChain chain);

    /** True if something is available. Reads the ring; takes nothing. */
    public abstract boolean hasAvailable();

    /** Asks the driver not to kick; it may kick all the same. */
    public abstract void suppressKicks();

    /**
     * Asks the driver to kick again.
     *
     * @return true if something became available meanwhile, for which no kick will come
     */
    public abstract boolean resumeKicks();

    /**
     * True if the driver wants to be called for what was pushed since this was last asked (used-buffer notification
     * suppression, VIRTIO "Used Buffer Notification Suppression").
     */
    public abstract boolean needsCall();

    /**
     * The position as vhost-user's SET_VRING_BASE and GET_VRING_BASE carry it (VHU-RING-13): for a split queue the next available
     * index; for a packed one the available index and wrap counter in bits 0 to 15, the used ones in bits 16 to 31.
     */
    public abstract int base();

    /**
     * The position in the used ring of the next chain that is pushed. It is kept in the ring and not by the device: a device
     * that takes over finds it where the one before it has pushed its last chain. It repeats after 65536 chains (split) or
     * two laps (packed).
     */
    public abstract int usedPosition();

    /**
     * True if the queue stands where a driver starts a new one, and in-flight memory does not show that it has been in use.
     */
    public abstract boolean isAtStart();

    /**
     * True if the ring's memory shows that it has been in use. A queue that is at its start all the same has returned to it
     * after whole laps. A driver that makes a new queue of a ring's memory without clearing that is taken for one that goes on.
     */
    public abstract boolean showsUse();

    /**
     * How far the queue has moved since it was at another position, at the least: positions repeat.
     *
     * @param base a number that {@link #base} returned once
     * @return available buffers (split) or descriptors (packed), at least 0
     */
    public abstract int movedSince(int base);

    /**
     * Goes on with the same ring at other places, after the memory table changed. The parts' guest addresses are as
     * before unless the front-end moved them too.
     *
     * @throws IllegalArgumentException if a part is too short or not aligned
     */
    public final void relocate(RingArea descriptors, RingArea driver, RingArea device) {
        RingLayout.check(size, features, descriptors, driver, device);
        place(descriptors, driver, device);
    }

    abstract void place(RingArea descriptors, RingArea driver, RingArea device);

    /**
     * Starts, moves or stops the logging of writes to the used ring (SET_VRING_ADDR may come again while the queue
     * runs).
     *
     * @param guestAddress see {@link VirtqueueSetup#usedLogAddress}; -1 to stop
     */
    public abstract void logUsedWritesAt(long guestAddress);

    /**
     * The queue's positions and what stands in its ring, for debugging. May be asked at any time and from any thread; what
     * changes meanwhile may not fit together.
     */
    @Override
    public final String toString() {
        String ring;
        try {
            ring = describeRing();
        } catch (InternalError | IllegalStateException e) {
            ring = "its memory is gone";
        }
        return "queue " + index + " of size " + size + ", features 0x" + Long.toHexString(features) + ", "
                + inHand.count() + " chains in hand, " + describePositions() + "; ring: " + ring;
    }

    /** The device's own positions. */
    abstract String describePositions();

    /** What stands in the ring's memory, which may be gone. */
    abstract String describeRing();

    final void take(DescriptorChain chain, int id) {
        inHand.take(id);
        chain.taken(this, id);
    }

    /** Forgets that the device has the chain; returns its id. */
    final int forget(DescriptorChain chain) {
        int id = chain.idFor(this);
        inHand.forgetLast(id);
        chain.givenBack();
        return id;
    }

    /** Checks that the device may push the chain; returns its id. */
    final int giveBack(DescriptorChain chain, long written) {
        int id = chain.idFor(this);
        if (written < 0 || written > chain.writableBytes()) {
            throw new IllegalArgumentException("a device can't have written " + written
                    + " bytes into a chain with room for " + chain.writableBytes());
        }
        inHand.giveBack(id);
        chain.givenBack();
        return id;
    }
}
