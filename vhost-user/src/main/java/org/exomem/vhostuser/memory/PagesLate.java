package org.exomem.vhostuser.memory;

/**
 * Pages that were about to be touched are not here yet (VHU-PST-1). They have been asked for, and nothing has been done. No fault of
 * anybody: a queue that finds this goes on when they have come.
 */
public final class PagesLate extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Made once: it is thrown on the way of a kick. */
    static final PagesLate INSTANCE = new PagesLate();

    private PagesLate() {
        super("pages of guest memory have not come yet", null, false, false);
    }
}
