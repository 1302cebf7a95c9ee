package org.exomem.vhostuser.memory;

/**
 * Pages that were about to be touched are not present yet (VHU-PST-1). They were requested, and nothing was done. It is no
 * fault: the queue goes on when they have arrived.
 */
public final class PagesLate extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** Made once, because it is thrown while a kick is handled. */
    static final PagesLate INSTANCE = new PagesLate();

    private PagesLate() {
        super("pages of guest memory have not arrived yet", null, false, false);
    }
}
