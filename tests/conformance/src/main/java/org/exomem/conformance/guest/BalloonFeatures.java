package org.exomem.conformance.guest;

/** Masks of the balloon's feature bits (spec/balloon.md, BAL-FEAT). */
public final class BalloonFeatures {
    public static final long MUST_TELL_HOST = 1L;
    public static final long STATS_VQ = 1L << 1;
    public static final long DEFLATE_ON_OOM = 1L << 2;
    public static final long FREE_PAGE_HINT = 1L << 3;
    public static final long PAGE_POISON = 1L << 4;
    public static final long PAGE_REPORTING = 1L << 5;

    /** FPB-FEAT-1 */
    public static final long FREE_PAGE_BITMAP = 1L << 58;

    /** The features that a Linux driver acknowledges in a guest that does not poison its pages. */
    public static final long LINUX = MUST_TELL_HOST | STATS_VQ | DEFLATE_ON_OOM | FREE_PAGE_HINT | PAGE_REPORTING;

    private BalloonFeatures() {}
}
