package org.exomem.migration;

/** What became of a page that did not travel, or that it did: each page has one in the end. */
public enum Fate {
    /** Its content went to the destination. */
    SENT(false),
    /** It reads as zeros, and so does the destination's. */
    ZERO(false),
    /** Nothing is allocated for it in the memory file, so it reads as zeros. */
    HOLE(false),
    /** The guest hinted that it is free, and has not written it since. */
    HINTED(true),
    /** It is in the balloon. */
    BALLOON(true),
    /** It belongs to a block of a memory device that is unplugged. */
    UNPLUGGED(true);

    private final boolean nobodysContent;

    Fate(boolean nobodysContent) {
        this.nobodysContent = nobodysContent;
    }

    /** True if what the page holds matters to nobody; false if the destination has to have it. */
    public boolean isNobodysContent() {
        return nobodysContent;
    }
}
