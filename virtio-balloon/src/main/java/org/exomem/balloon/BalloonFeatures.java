package org.exomem.balloon;

/** The balloon's own feature bits (VIRTIO, "Traditional Memory Balloon Device", "Feature bits"). */
public final class BalloonFeatures {
    /** The driver tells the device before it uses pages of the balloon again. */
    public static final long MUST_TELL_HOST = 1L;
    /** There is a statistics queue. */
    public static final long STATS_VQ = 1L << 1;
    /** The driver may take pages out when the guest runs out of memory. */
    public static final long DEFLATE_ON_OOM = 1L << 2;
    /** There is a free page queue and the config field {@code free_page_hint_cmd_id}. */
    public static final long FREE_PAGE_HINT = 1L << 3;
    /** The same bit in the proposal of 2016: the free page queue carries bitmaps (FPB-RFC-1). */
    public static final long GET_FREE_PAGES = 1L << 3;
    /** The driver fills free pages with the value of config field {@code poison_val}. */
    public static final long PAGE_POISON = 1L << 4;
    /** There is a reporting queue. */
    public static final long PAGE_REPORTING = 1L << 5;
    /** There is a bitmap queue (spec/free-page-bitmap.md). */
    public static final long FREE_PAGE_BITMAP = 1L << 58;

    private BalloonFeatures() {}
}
