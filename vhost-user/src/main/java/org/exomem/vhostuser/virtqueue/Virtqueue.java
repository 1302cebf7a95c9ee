package org.exomem.vhostuser.virtqueue;

import org.exomem.vhostuser.memory.PagesLate;

/**
 * A virtqueue from the device's side. Used on the VM's event loop. None of the methods that a device calls allocates, locks
 * or waits.
 *
 * <p>A device pops chains until there is none, reads and writes their buffers, and pushes each back exactly once, at any
 * time (in the order of popping if IN_ORDER was negotiated). The session that owns the queue does the rest: it suppresses
 * kicks while the device works, and calls the driver if it requested that.
 */
public abstract sealed class Virtqueue permits SplitVirtqueue, PackedVirtqueue {
    /** The largest length in a used entry; 1 less than a chain may have. */
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
     * Starts a queue, packed or split depending on its features. If the in-flight region has chains that an earlier back-end
     * popped and did not push, {@link #pop} returns those first, and the region's positions count instead of the base's.
     *
     * @throws IllegalArgumentException if base or in-flight region are invalid: the front-end's fault
     * @throws DriverFault if the ring's memory does not match the base or the in-flight region
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
     * Takes the next available chain. All of its buffers that a device may touch are present then, and remain present
     * (VHU-PST-2).
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

    /**
     * True if {@link #pop} found that pages of the next chain are missing, which were requested. It returns nothing until
     * then.
     */
    public final boolean isLate() {
        return late;
    }

    /** Pages have arrived: {@link #pop} tries again. */
    public final void pagesCame() {
        late = false;
    }

    /**
     * Limits the buffers of the chains that are popped from now on; the last chain may exceed the limit. Without a limit
     * until the first call. A session sets it before each pass, so that a driver that makes buffers available without pause,
     * or very many in tables, can't block the event loop.
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
     * Undoes a pop: the chain is available again, and the next {@link #pop} returns it, here or after a start from {@link
     * #base}. For a device that is stopped while it has a chain.
     *
     * @param chain the chain that was popped last of those that are neither pushed nor given up; nothing may have been
     *     pushed that was popped after it
     * @throws IllegalStateException if this queue did not pop the chain, if it was pushed, or (IN_ORDER) if it is not the
     *     last one
     */
    public abstract void unpop(DescriptorChain chain);

    /** True if something is available. Reads the ring; takes nothing. */
    public abstract boolean hasAvailable();

    /** Asks the driver not to kick; it may kick anyway. */
    public abstract void suppressKicks();

    /**
     * Asks the driver to kick again.
     *
     * @return true if something became available meanwhile, for which no kick will come
     */
    public abstract boolean resumeKicks();

    /**
     * True if the driver wants to be called for what was pushed since the last call of this (VIRTIO, "Used Buffer
     * Notification Suppression").
     */
    public abstract boolean needsCall();

    /**
     * The position in the format of vhost-user's SET_VRING_BASE and GET_VRING_BASE (VHU-RING-13): for a split queue the next
     * available index; for a packed one the available index and wrap counter in bits 0 to 15, the used ones in bits 16 to
     * 31.
     */
    public abstract int base();

    /**
     * The position in the used ring of the next chain that is pushed. The ring keeps it, not the device: a device that takes
     * over finds it where the earlier one has pushed its last chain. It repeats after 65536 chains (split) or two laps
     * (packed).
     */
    public abstract int usedPosition();

    /** True if the queue is where a driver starts a new one, and in-flight memory does not show use. */
    public abstract boolean isAtStart();

    /**
     * True if the ring's memory shows use. A queue that is at its start nevertheless has returned to it after whole laps. A
     * driver that makes a new queue from a ring's memory without clearing it looks like one that goes on.
     */
    public abstract boolean showsUse();

    /**
     * The least distance that the queue has moved from an earlier position: positions repeat.
     *
     * @param base an earlier result of {@link #base}
     * @return available buffers (split) or descriptors (packed), at least 0
     */
    public abstract int movedSince(int base);

    /**
     * Continues with the same ring at other addresses, after the memory table changed. The guest addresses of its parts are
     * the same unless the front-end moved them too.
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
     * The queue's positions and the content of its ring, for debugging. Any thread may call this at any time; values that
     * change meanwhile may not be consistent.
     */
    @Override
    public final String toString() {
        String ring;
        try {
            ring = describeRing();
        } catch (InternalError | IllegalStateException e) {
            ring = "its memory is inaccessible";
        }
        return "queue " + index + " of size " + size + ", features 0x" + Long.toHexString(features) + ", "
                + inHand.count() + " chains in hand, " + describePositions() + "; ring: " + ring;
    }

    /** The device's own positions. */
    abstract String describePositions();

    /** The content of the ring's memory, which may be gone. */
    abstract String describeRing();

    final void take(DescriptorChain chain, int id) {
        inHand.take(id);
        chain.taken(this, id);
    }

    /** Removes the chain from those that the device has; returns its id. */
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
