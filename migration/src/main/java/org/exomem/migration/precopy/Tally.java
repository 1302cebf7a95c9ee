package org.exomem.migration.precopy;

import java.util.concurrent.atomic.LongAdder;

/** What workers count. */
final class Tally {
    /** Times that a page was sent. */
    final LongAdder sent = new LongAdder();
    /** Times that a page was sent again. */
    final LongAdder resent = new LongAdder();
    /** Times that a page was found as it was known. */
    final LongAdder unchanged = new LongAdder();
}
