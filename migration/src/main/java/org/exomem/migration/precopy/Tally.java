package org.exomem.migration.precopy;

import java.util.concurrent.atomic.LongAdder;

/** The counters of the workers. Safe for use by several threads. */
final class Tally {
    /** How many times a page was sent. */
    final LongAdder sent = new LongAdder();
    /** How many times a page was sent again. */
    final LongAdder resent = new LongAdder();
    /** How many times a page was read again and had not changed. */
    final LongAdder unchanged = new LongAdder();
}
