package org.exomem.pages;

/**
 * The way of one listener of a {@link PageFeed} through the state of a device: what is in the balloon, which blocks are
 * unplugged. It goes in slices, so that a large state holds up nothing else on the VM's event loop.
 *
 * <p>A replay takes no snapshot. Each slice tells what is so at that moment, and between two slices the device offers its
 * changes as always. So every message is true when it is offered, and a listener that takes them in order knows of each page
 * either what is so or, before the replay has come to it, nothing. This needs one thing of the device: it offers a change in
 * the same step of the loop in which it changes what the replay reads. Otherwise a slice could come in between, and tell that
 * a page is unused after the listener has heard that it is used.
 *
 * <p>A state that ends (the balloon's driver stops) ends the replay; what begins after that is told as changes.
 */
@FunctionalInterface
public interface StateReplay {
    /** The most messages of a slice: a small part of what a listener's queue holds, and a fraction of a millisecond. */
    int MESSAGES_AT_ONCE = 1 << 13;

    /** The most pages or blocks, a bit each, that a slice looks at: a fraction of a millisecond. */
    long PAGES_AT_ONCE = 1L << 22;

    /**
     * Tells the next slice. On the VM's event loop.
     *
     * @return false if this was the last one
     */
    boolean next(PageFeed.Listener listener);
}
