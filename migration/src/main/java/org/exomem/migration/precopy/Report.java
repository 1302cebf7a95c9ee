package org.exomem.migration.precopy;

import java.time.Duration;
import java.util.Map;
import org.exomem.migration.Fate;

/**
 * The result of a migration of memory.
 *
 * @param pageSize bytes in a page
 * @param pages the number of pages of each fate; together all pages
 * @param resent how many times a page was sent that had been sent before
 * @param unchanged how many times a page was read again and had not changed
 * @param rounds including the last one
 * @param sentBytes bytes of the pages that were sent
 * @param total from the beginning until the destination had all pages
 * @param downtime the part of it for which the guest was paused
 * @param estimatedDowntime the estimate of {@code downtime}
 * @param inLimit true if the estimate was within the limit; otherwise the guest was paused because more rounds did not help
 * @param owed pages that followed the guest (post-copy); their fate is SENT
 * @param throttle the highest percentage of its time during which the guest was stopped
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

    /** The number of pages of a fate. */
    public long pages(Fate fate) {
        return pages.getOrDefault(fate, 0L);
    }

    /** Returns this report after {@code count} pages have followed the guest within {@code time}. */
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
