package org.exomem.migration.precopy;

import java.time.Duration;
import java.util.Map;
import org.exomem.migration.Fate;

/**
 * What became of a guest's memory.
 *
 * @param pageSize bytes in a page
 * @param pages how many pages have each fate; together all pages
 * @param resent how many times a page travelled that had travelled before
 * @param unchanged how many times a page was looked at again and was found as it was known
 * @param rounds with the last one
 * @param sentBytes of pages that travelled
 * @param total from the beginning until the destination had all pages
 * @param downtime the part of it for which the guest was paused
 * @param estimatedDowntime what that was expected to be
 * @param inLimit true if that was within the limit; otherwise the guest was paused because more rounds were of no use
 * @param owed pages that followed the guest (post-copy); they count among those with content that went to the destination
 * @param throttle the most percent of its time for which the guest was made to stand still
 */
public record Report(
        int pageSize,
        Map<Fate, Long> pages,
        long resent,
        long unchanged,
        int rounds,
        long sentBytes,
        Duration total,
        Duration downtime,
        Duration estimatedDowntime,
        boolean inLimit,
        long owed,
        int throttle) {
    public Report {
        pages = Map.copyOf(pages);
    }

    /** The number of pages with a fate. */
    public long pages(Fate fate) {
        return pages.getOrDefault(fate, 0L);
    }

    /** The same, after so many pages have followed the guest within so long. */
    public Report withOwed(long count, Duration time) {
        return new Report(
                pageSize,
                pages,
                resent,
                unchanged,
                rounds,
                sentBytes + count * pageSize,
                total.plus(time),
                downtime,
                estimatedDowntime,
                inLimit,
                count,
                throttle);
    }
}
