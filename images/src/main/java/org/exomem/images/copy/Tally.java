package org.exomem.images.copy;

import java.util.concurrent.atomic.LongAdder;

/** The counters of a file's bytes. Safe for use by several threads. */
final class Tally {
    final LongAdder copied = new LongAdder();
    final LongAdder zeros = new LongAdder();
    final LongAdder free = new LongAdder();
}
