package org.exomem.vhostuser.backend;

import org.exomem.vhostuser.virtqueue.Virtqueue;

/**
 * Whether the driver that starts a queue is the earlier one. A device has to know this, because what it keeps of a driver
 * (pages in a balloon, a hint session) belongs to one run of it. No message of vhost-user shows it reliably: some front-ends
 * send no reset, some send one when the VM is merely paused, and connections are lost and made again. The ring shows it: a
 * new driver starts a queue at its initial position in memory of zeros, and a driver that goes on starts it where it
 * stopped.
 *
 * <p>Ask when a queue starts ({@link VhostUserDevice#queueStarted}), before anything is popped from it.
 */
public enum DriverRun {
    /** Another driver, or the same one loaded again: nothing that the device knows of a driver is valid. */
    NEW,
    /** The earlier driver: what the device knows of it is valid. */
    GOES_ON,
    /**
     * The queue is at its initial position and shows use: it has returned to that position, or a new driver did not clear
     * the memory. The device chooses what harms the guest least if it is wrong.
     */
    UNKNOWN;

    /** Judges by the ring alone, for a device that does not record where its queue was. Reads the whole ring. */
    public static DriverRun of(Virtqueue queue) {
        if (!queue.isAtStart()) {
            return GOES_ON;
        }
        return queue.showsUse() ? UNKNOWN : NEW;
    }

    /**
     * Judges by the ring and the recorded position of the queue. A driver that starts elsewhere is another one, even if it
     * does not start at the initial position: another back-end has served it meanwhile.
     *
     * @param base the last recorded position of the queue, a result of {@link Virtqueue#base}
     * @param slack how far the queue may have moved since without a record, in available buffers (split) or descriptors
     *     (packed); 0 if every move was recorded
     */
    public static DriverRun of(Virtqueue queue, int base, int slack) {
        return queue.movedSince(base) <= slack ? of(queue) : NEW;
    }
}
