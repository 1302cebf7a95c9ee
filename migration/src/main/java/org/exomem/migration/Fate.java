package org.exomem.migration;

/** What became of a page: that it was sent, or why it was not. Each page has one fate at the end of a migration. */
public enum Fate {
    /** The page's content was sent to the destination. */
    SENT(false),
    /** The page is zeros, at both ends. */
    ZERO(false),
    /** The memory file has no block for the page, so it is zeros. */
    HOLE(false),
    /** The guest hinted the page as free, and has not written it since. */
    HINTED(true),
    /** The guest's page descriptors showed at the pause that the page is free. */
    SETTLED(true),
    /** The page is in the balloon. */
    BALLOON(true),
    /** The page belongs to an unplugged block of a memory device. */
    UNPLUGGED(true);

    private final boolean notNeeded;

    Fate(boolean notNeeded) {
        this.notNeeded = notNeeded;
    }

    /** True if the page's content is not needed; false if the destination must have it. */
    public boolean isNotNeeded() {
        return notNeeded;
    }
}
