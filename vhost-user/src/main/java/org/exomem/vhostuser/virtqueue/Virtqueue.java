package org.exomem.vhostuser.virtqueue;

/**
 * A virtqueue from the device's side. Belongs to the event loop of its VM. None of the methods that a device calls
 * allocates, locks or waits.
 *
 * <p>A device pops chains until there is none, reads and writes their buffers, and pushes each back exactly once, when
 * it likes (in the order of popping where IN_ORDER was negotiated). The session that owns the queue does the rest:
 * suppressing kicks while the device works, calling the driver if it asked for it.
 */
public abstract sealed class Virtqueue permits SplitVirtqueue, PackedVirtqueue {

    /** The queue's index in its device. */
    public abstract int index();

    /** The number of descriptors, 1 to 32768; a power of two for a split queue. */
    public abstract int size();

    /**
     * Takes the next available chain.
     *
     * @param chain filled with the chain's buffers; its earlier content is overwritten
     * @return false if nothing is available
     * @throws DriverFault if the driver broke a rule; nothing has been taken
     */
    public abstract boolean pop(DescriptorChain chain);

    /**
     * Gives a chain back to the driver as used; visible to it at once.
     *
     * @param chain a chain that {@link #pop} filled
     * @param written bytes written into its device-writable part, from its start on
     */
    public abstract void push(DescriptorChain chain, long written);

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
     * The position as vhost-user's SET_VRING_BASE and GET_VRING_BASE carry it: for a split queue the next available
     * index; for a packed one the available index and wrap counter in bits 0 to 15, the used ones in bits 16 to 31.
     */
    public abstract int base();
}
