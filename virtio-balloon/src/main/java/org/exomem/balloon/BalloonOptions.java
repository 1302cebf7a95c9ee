package org.exomem.balloon;

/**
 * The features that a balloon offers to its driver, and whether it gives memory back to the host.
 *
 * @param mustTellHost offer MUST_TELL_HOST
 * @param statistics offer STATS_VQ
 * @param deflateOnOom offer DEFLATE_ON_OOM
 * @param freePageHinting offer FREE_PAGE_HINT
 * @param pagePoison offer PAGE_POISON
 * @param pageReporting offer PAGE_REPORTING
 * @param freePages how to ask for free pages; RFC excludes FREE_PAGE_HINT
 * @param discard give the memory of pages in the balloon and of reported pages back to the host; without it they are only
 *     counted and sent to the page feed
 */
public record BalloonOptions(
        boolean mustTellHost,
        boolean statistics,
        boolean deflateOnOom,
        boolean freePageHinting,
        boolean pagePoison,
        boolean pageReporting,
        FreePageRequests freePages,
        boolean discard) {

    /** @throws IllegalArgumentException if both meanings of feature bit 3 are wanted */
    public BalloonOptions {
        if (freePages == FreePageRequests.RFC && freePageHinting) {
            throw new IllegalArgumentException("free page hinting and the format of 2016 have the same feature bit");
        }
    }

    /**
     * All features except DEFLATE_ON_OOM. That one changes how a guest behaves under memory pressure, and in other balloons
     * too is off until the operator asks for it. MUST_TELL_HOST makes it safe to discard huge pages of the host. It costs
     * nothing with a driver that waits for its acknowledgements anyway, as Linux does.
     */
    public static BalloonOptions defaults() {
        return new BalloonOptions(true, true, false, true, true, true, FreePageRequests.BITMAP, true);
    }

    /** The offered feature bits. */
    long features() {
        return bit(mustTellHost, BalloonFeatures.MUST_TELL_HOST)
                | bit(statistics, BalloonFeatures.STATS_VQ)
                | bit(deflateOnOom, BalloonFeatures.DEFLATE_ON_OOM)
                | bit(freePageHinting, BalloonFeatures.FREE_PAGE_HINT)
                | bit(pagePoison, BalloonFeatures.PAGE_POISON)
                | bit(pageReporting, BalloonFeatures.PAGE_REPORTING)
                | bit(freePages == FreePageRequests.BITMAP, BalloonFeatures.FREE_PAGE_BITMAP)
                | bit(freePages == FreePageRequests.RFC, BalloonFeatures.GET_FREE_PAGES);
    }

    private static long bit(boolean offered, long bit) {
        return offered ? bit : 0;
    }
}
