package org.exomem.migration;

/** Why a page was not sent, or that it was. Each page has one fate at the end of a migration. */
public enum Fate {
    /** Its content went to the destination. */
    SENT(false),
    /** It reads as zeros, and so does the destination's. */
    ZERO(false),
    /** Nothing is allocated for it in the memory file, so it reads as zeros. */
    HOLE(false),
    /** The guest hinted that it is free, and has not written it since. */
    HINTED(true),
    /** The guest's page descriptors said at the pause that it is free. */
    SETTLED(true),
    /** It is in the balloon. */
    BALLOON(true),
    /** It belongs to a block of a memory device that is unplugged. */
    UNPLUGGED(true);

    private final boolean notNeeded;

    Fate(boolean notNeeded) {
        this.notNeeded = notNeeded;
    }

    /** True if the page's content is not needed; false if the destination has to have it. */
    public boolean isNotNeeded() {
        return notNeeded;
    }
}
