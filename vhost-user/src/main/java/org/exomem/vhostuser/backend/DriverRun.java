package org.exomem.vhostuser.backend;

import org.exomem.vhostuser.virtqueue.Virtqueue;

/**
 * Whether the driver that starts a queue is the one that was there before. A device has to know, because what it keeps of a
 * driver (pages in a balloon, a hint session) belongs to one run of it. No message of vhost-user tells reliably: some
 * front-ends send no reset, some send one when the VM is merely paused, and connections are lost and made again. The ring
 * tells: a driver that is new starts a queue at its initial position in memory of zeros, and one that goes on starts it
 * where it stopped.
 *
 * <p>Ask when a queue starts ({@link VhostUserDevice#queueStarted}), before anything is taken from it.
 */
public enum DriverRun {
    /** Another driver, or the same one loaded anew: nothing that the device knows of a driver holds. */
    NEW,
    /** The driver that was there before: what the device knows of it holds. */
    GOES_ON,
    /**
     * The queue is at its initial position and shows that it has been in use: either it has come round to that position,
     * or a new driver did not clear the memory. The device takes what costs the guest nothing where it errs.
     */
    UNKNOWN;

    /** What the ring alone tells; for a device that doesn't note where its queue was. Reads the whole ring. */
    public static DriverRun of(Virtqueue queue) {
        if (!queue.isAtStart()) {
            return GOES_ON;
        }
        return queue.showsUse() ? UNKNOWN : NEW;
    }

    /**
     * What the ring tells to a device that noted where its queue was. A driver that starts elsewhere is another one, even
     * where it does not start at the initial position: somebody else served it meanwhile.
     *
     * @param base the queue's position when the device noted it last, a number that {@link Virtqueue#base} returned
     * @param slack how far the queue may have moved since without being noted, in available buffers (split) or
     *     descriptors (packed); 0 if every move was noted
     */
    public static DriverRun of(Virtqueue queue, int base, int slack) {
        return queue.movedSince(base) <= slack ? of(queue) : NEW;
    }
}
