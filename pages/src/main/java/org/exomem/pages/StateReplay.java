package org.exomem.pages;

/**
 * Sends the state of a device to one listener of a {@link PageFeed}: the pages in the balloon, or the unplugged blocks. It
 * runs in slices, so that a large state does not block the VM's event loop.
 *
 * <p>A replay takes no snapshot. Each slice sends the state of that moment, and between two slices the device offers its
 * changes as usual. So every message is true when it is offered. A listener that processes them in order knows the true
 * state of each page, or nothing before the replay has reached it. The device must offer a change in the same step of the
 * loop in which it changes what the replay reads. Otherwise a slice in between could report that a page is unused after the
 * listener was told that it is used.
 *
 * <p>If the state ends (the balloon's driver stops), the replay ends. What begins after that is sent as changes.
 */
@FunctionalInterface
public interface StateReplay {
    /** The most messages of a slice: a small part of a listener's queue, and a fraction of a millisecond. */
    int MESSAGES_AT_ONCE = 1 << 13;

    /** The most pages or blocks, a bit each, that a slice reads: a fraction of a millisecond. */
    long PAGES_AT_ONCE = 1L << 22;

    /**
     * Sends the next slice. On the VM's event loop.
     *
     * @return false if this was the last one
     */
    boolean next(PageFeed.Listener listener);
}
